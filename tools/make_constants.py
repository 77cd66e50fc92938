"""Writes the C core's constant tables from the definition: `python tools/make_constants.py`."""

from pathlib import Path

import numpy as np

from stepforward.arithmetic.tables import alias_table, cos_table, exp2_table, log2_table, tanh_table

TARGET = Path(__file__).parents[1] / "src" / "stepforward" / "core" / "base" / "tables.c"


def _array(declaration: str, values) -> str:
    numbers = [str(int(value)) for value in values]
    lines = [", ".join(numbers[i : i + 10]) for i in range(0, len(numbers), 10)]
    return f"const {declaration} = {{\n    " + ",\n    ".join(lines) + "};\n"


def _steps(table: np.ndarray) -> np.ndarray:
    """Sixteen entries at a time, each an exclusive or with the sixteen before; again from the middle on."""
    halves = table.astype(np.uint8).reshape(2, 8, 16)
    halves[:, 1:] ^= halves[:, :-1].copy()
    return halves.ravel()


def tables_source() -> str:
    """The whole text of `tables.c`."""
    keep, alias = alias_table()
    arrays = [
        _array("int32_t sfi_table_exp2[257]", exp2_table()),
        _array("int32_t sfi_table_log2[257]", log2_table()),
        _array("int32_t sfi_table_cos[257]", cos_table()),
        _array("int16_t sfi_table_tanh[513]", tanh_table()),
        _array("uint16_t sfi_table_alias[256]", keep + 256 * (alias + 128)),
        "#if SFI_X86 /* for shuffles of sixteen entries */",
        _array("uint8_t sfi_table_keep_steps[256]", _steps(keep)),
        _array("uint8_t sfi_table_alias_steps[256]", _steps(alias + 128)) + "#endif\n",
    ]
    head = (
        "/* Written by tools/make_constants.py from stepforward.arithmetic.tables; do not edit. */\n"
        '#include "base/machine.h"\n'
        '#include "base/tables.h"\n'
    )
    return "\n".join([head, *arrays])


if __name__ == "__main__":
    TARGET.write_text(tables_source())
