"""Circles: files of the core, and modules of the package, that use each other directly or through others.

    python tools/circles.py build/core/optimized     # the folder with the core's object files

A file of the core uses another where it needs a symbol that the other defines; a module uses another where it imports
it at the top of the file. Prints every circle; ends with 1 if there is one.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "src" / "stepforward"
Uses = dict[str, set[str]]


def of_objects(folder: Path) -> Uses:
    """Which object file needs symbols of which others."""
    homes, needs = {}, {}
    for path in sorted(folder.rglob("*.o")):
        name = str(path.relative_to(folder).with_suffix(""))
        if not (PACKAGE / "core" / name).with_suffix(".c").exists():
            continue  # of a file that is gone
        lines = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout.splitlines()
        kinds = [line.split()[-2:] for line in lines]
        homes |= {symbol: name for kind, symbol in kinds if kind in "TDBRVWi"}
        needs[name] = {symbol for kind, symbol in kinds if kind == "U"}
    return {name: {homes[s] for s in symbols if s in homes} - {name} for name, symbols in needs.items()}


def of_modules(package: Path) -> Uses:
    """Which module imports which others when it is itself imported."""
    paths = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts): path
        for path in package.rglob("*.py")
    }
    names = {name.removesuffix(".__init__"): path for name, path in paths.items()}
    return {name: set(_imported(path, names)) - {name} for name, path in names.items()}


def _imported(path: Path, names: dict[str, Path]) -> Iterator[str]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield from {inner, node.module} & set(names) if inner in names else {node.module} & set(names)


def circles(uses: Uses) -> list[list[str]]:
    """Circles, each once; one at a time, leaving out what was found."""
    found, uses = [], {name: set(others) for name, others in uses.items()}
    while True:
        try:
            TopologicalSorter(uses).prepare()
        except CycleError as error:
            circle = error.args[1]
            found.append(circle[::-1])
            uses[circle[1]].discard(circle[0])
        else:
            return found


def main() -> None:
    """Print the circles of both."""
    both = {"core": of_objects(Path(sys.argv[1])), "package": of_modules(PACKAGE)}
    total = 0
    for name, uses in both.items():
        found = circles(uses)
        total += len(found)
        for circle in found:
            print(f"{name}: {' -> '.join(circle)}")
        print(f"{name}: {len(uses)} files, {len(found)} circles")
    sys.exit(1 if total else 0)


if __name__ == "__main__":
    main()
