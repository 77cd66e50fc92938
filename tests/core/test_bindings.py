"""Which shared library is the core, and whether its structs are what the C compiler makes of them."""

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stepforward.core import bindings

INCLUDE = Path(bindings.__file__).parent / "include"
HEADER = INCLUDE / "stepforward_host.h"  # includes the other
LOAD = "from stepforward.core.bindings import library; print(library()._name)"


def load(path):
    environment = os.environ | {"STEPFORWARD_CORE": str(path)}
    return subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, env=environment)


def test_another_build_of_the_core_can_be_named():
    from stepforward.core.bindings import library

    assert load(library()._name).stdout.strip() == library()._name


def test_a_core_that_is_not_there_is_named(tmp_path):
    done = load(tmp_path / "core.so")
    assert done.returncode == 1
    assert f"the C core {tmp_path / 'core.so'} cannot be loaded" in done.stderr


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("source", ["", "unsigned sf_interface(void) { return 0; }"])
def test_a_core_of_another_version_is_refused_before_it_is_called(tmp_path, source):
    (tmp_path / "other.c").write_text(source + "\nint other;\n")
    other = tmp_path / "other.so"
    subprocess.run([shutil.which("cc"), "-shared", "-fPIC", "-o", other, tmp_path / "other.c"], check=True)
    done = load(other)
    assert f"the C core {other} was built from another version of stepforward" in done.stderr


def test_the_interface_has_another_number_whenever_a_declaration_changes():
    """On failure: raise SF_INTERFACE and INTERFACE by one, and put the digest that was found below."""
    text = "".join((INCLUDE / name).read_text() for name in ("stepforward.h", "stepforward_host.h"))
    assert re.search(r"#define SF_INTERFACE (\d+)u", text)[1] == str(bindings.INTERFACE)
    code = re.sub(r"/\*.*?\*/|#define SF_INTERFACE \d+u", "", text, flags=re.DOTALL)
    digest = hashlib.sha256(" ".join(code.split()).encode()).hexdigest()
    assert (bindings.INTERFACE, digest[:16]) == (23, "eef54768fa40fc49")


MIRRORS = {
    kind.__doc__.strip("`."): kind
    for kind in vars(bindings).values()
    if isinstance(kind, type) and issubclass(kind, ctypes.Structure)
}


def layout_in_c(folder, header):
    """(offset, size) of every mirrored field and the size of every struct, by the C compiler, from their names."""
    fields = [(name, field[0]) for name, kind in MIRRORS.items() for field in kind._fields_]
    lines = [
        f'printf("{name}.{field} %zu %zu\\n", offsetof({name}, {field}), sizeof((({name}*)0)->{field}));'
        for name, field in fields
    ] + [f'printf("{name} 0 %zu\\n", sizeof({name}));' for name in MIRRORS]
    source = "#include <stddef.h>\n#include <stdio.h>\n" + f'#include "{header}"\n' + "int main(void) {"
    (folder / "layout.c").write_text(source + "\n".join(lines) + "return 0; }\n")
    subprocess.run([shutil.which("cc"), "-o", folder / "layout", folder / "layout.c"], check=True)
    text = subprocess.run([folder / "layout"], capture_output=True, text=True, check=True).stdout
    return {name: (int(at), int(size)) for name, at, size in map(str.split, text.splitlines())}


def layout_in_python():
    layout = {name: (0, ctypes.sizeof(kind)) for name, kind in MIRRORS.items()}
    for name, kind in MIRRORS.items():
        for field in kind._fields_:
            place = getattr(kind, field[0])
            layout[f"{name}.{field[0]}"] = (place.offset, place.size)
    return layout


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_every_field_of_every_struct_lies_where_the_compiler_puts_it(tmp_path):
    assert set(MIRRORS) >= {
        "sf_program",
        "sf_plan",
        "sf_scratch",
        "sf_packs",
        "sf_perturbation",
        "sf_journal",
    }
    assert layout_in_c(tmp_path, HEADER) == layout_in_python()


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_field_that_moves_is_seen(tmp_path):
    header = (INCLUDE / "stepforward.h").read_text()
    moved = tmp_path / "stepforward.h"
    moved.write_text(header.replace("    uint32_t row_tile;", "    uint16_t other, row_tile;", 1))
    assert moved.read_text() != header
    (tmp_path / HEADER.name).write_text(HEADER.read_text())
    assert layout_in_c(tmp_path, tmp_path / HEADER.name) != layout_in_python()
