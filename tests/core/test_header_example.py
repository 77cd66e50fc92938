"""The example at the top of stepforward.h is C that compiles."""

import shutil
import subprocess
from pathlib import Path

import pytest

HEADER = Path(__file__).parents[2] / "src" / "stepforward" / "core" / "include" / "stepforward.h"
GIVEN = """
#include <string.h>
#include "stepforward.h"
void example(const void* sfp, size_t sfp_bytes, const void* sft, size_t sft_bytes, void* weights, void* state,
             void* memory, size_t bytes, const int8_t* samples, const int32_t* labels, uint32_t count,
             const int8_t* sample, int32_t* logits)
{
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_the_example_compiles(tmp_path):
    comment = HEADER.read_text().partition("*/")[0]
    lines = [line[len(" *     ") :] for line in comment.splitlines() if line.startswith(" *     ")]
    assert len(lines) > 8
    source = tmp_path / "example.c"
    source.write_text(GIVEN + "\n".join(lines) + "\n}\n")
    flags = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", f"-I{HEADER.parent}"]
    done = subprocess.run(["cc", *flags, "-fsyntax-only", source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
