"""What several tests of runs begin with."""

import numpy as np
import pytest
from small import small_program


@pytest.fixture(scope="module")
def samples():
    """Forty random inputs of the small network, and labels."""
    rng = np.random.default_rng(0)
    program = small_program()
    x = rng.integers(-128, 128, (40, *program.tensors[program.input].shape)).astype(np.int8)
    return x, rng.integers(0, 4, 40).astype(np.int32)
