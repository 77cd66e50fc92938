"""Programs of changes: the same on every engine, refused where nothing can be carried."""

from dataclasses import replace

import numpy as np
import pytest
import small
import tflite_files
from random_networks import samples

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Snapshot, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.lowering.lower import lower
from stepforward.program.tangent_program import SEED, finer_at_end
from stepforward.program.tangents import has_tangents, tangents
from stepforward.program.weights import pack_all
from stepforward.sources.open import open_source


def published(tmp_path, runtime):
    draft, x, end = tflite_files.small()
    (tmp_path / "a.tflite").write_bytes(draft.content([x], [end]))
    return lower(open_source(tmp_path / "a.tflite", runtime=runtime).network())


def without_pool(program):
    """Positions whose changes do not meet a maximum."""
    return [at for at, op in enumerate(program.ops) if op.bias >= 0 and has_tangents(program, at)]


def same_on_both(program, position):
    made, rng = tangents(program, position, 3), np.random.default_rng(position)
    channels = program.tensors[program.ops[position].bias].elements
    seeds = SEED * np.eye(3, channels, dtype=np.int64)
    weights = pack_all(made.program, dict(zip(made.seeds, seeds, strict=True)))
    x, found = samples(rng, made.program, 5), []
    for engine in (CoreEngine(made.program, threads=2), ReferenceEngine(made.program)):
        engine.restore(Snapshot(weights))
        found.append(logits_of(engine, x))
    assert (found[0] == found[1]).all()
    assert found[0].shape == (5, 3 * program.tensors[program.output].elements)
    return found[0].reshape(5, 3, -1)


@pytest.mark.parametrize("runtime", ["tflm", "litert", "litert-ref", "cmsis"])
def test_changes_through_a_published_file_are_those_of_the_definition(tmp_path, runtime):
    program = published(tmp_path, runtime)
    assert finer_at_end(program) > 1
    positions = without_pool(program)
    assert [program.ops[at].kind for at in positions] == ["conv", "depthwise"]
    for at in positions:
        assert same_on_both(program, at).any()


def test_what_does_not_change_stays_zero(tmp_path):
    program = published(tmp_path, "tflm")
    made = tangents(program, 0, 2)
    x = samples(np.random.default_rng(0), made.program, 4)
    assert not logits_of(CoreEngine(made.program), x).any()


def test_a_bias_that_two_operators_add_is_refused(tmp_path):
    program = published(tmp_path, "tflm")
    first, second = without_pool(program)
    bias = program.ops[first].bias
    ops = [replace(op, bias=bias) if at == second else op for at, op in enumerate(program.ops)]
    assert not has_tangents(replace(program, ops=tuple(ops)), first)


def test_a_maximum_is_refused():
    program = lower(small.small_network())
    pool = next(at for at, op in enumerate(program.ops) if op.kind == "max_pool")
    carried = without_pool(program)
    assert carried
    assert min(carried) > pool
    for at in carried:
        assert same_on_both(program, at).any()
    assert not has_tangents(program, len(program.ops) - 1)  # the output's own bias needs none
