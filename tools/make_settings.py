"""Write what is made from the table of settings: docs/settings.md and the signatures that editors show.

python tools/make_settings.py
"""

import ast
import inspect
from pathlib import Path

import stepforward
from stepforward.presets import PRESETS, options_of
from stepforward.settings import KINDS, TABLE, Settings, default_text

ROOT = Path(__file__).parent.parent
PAGE, STUB = ROOT / "docs" / "settings.md", ROOT / "src" / "stepforward" / "__init__.pyi"
SIGNED = ("adapt", "demo")
"""Verbs that take settings."""


def page() -> str:
    """docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Of `stepforward adapt` and `sf.adapt`; the defaults are those that ship. *Journal*: it decides bits of the",
        "weights whatever the data, so a journal records it. Written by `python tools/make_settings.py` from",
        "`src/stepforward/settings.py`, where every setting stands once.",
        "",
        "| Python | command | type | default | journal | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in TABLE.items():
        kind, _ = KINDS[name]
        option = (row.flags or (f"--{name.replace('_', '-')}",))[0].replace("/", "`, `")
        default = default_text(name) or f"`{getattr(Settings, name)}`"
        cells = (f"`{name}`", f"`{option}`", kind.__name__, default, "yes" if row.decides else "", row.help)
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "`--preset` (`preset=` in Python) starts from other settings than the defaults; what is given besides them",
        "counts instead:",
    ]
    lines += ["", *(f"- `{name}`: `{options_of(name)}`" for name in PRESETS)]
    return "\n".join(lines) + "\n"


def stub() -> str:
    """The public names with their signatures, for editors and type checkers."""
    verbs = {name: inspect.getmodule(getattr(stepforward, name)) for name in SIGNED}
    lines = [f'"""{stepforward.__doc__.splitlines()[0]}"""', ""]
    lines += sorted({line for module in verbs.values() for line in _imports(module)})
    lines += [f"from {module} import {name} as {name}" for name, module in _homes() if name not in SIGNED]
    lines += ["", "__version__: str"]
    for name, module in verbs.items():
        tree = ast.parse(inspect.getsource(module))
        node = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)
        extra = ast.parse(f"def f(*, {', '.join(_keywords())}): ...").body[0].args
        node.args.kwarg = None
        node.args.kwonlyargs += extra.kwonlyargs
        node.args.kw_defaults += extra.kw_defaults
        node.decorator_list, node.body = [], [node.body[0], ast.Expr(ast.Constant(...))]
        lines += ["", ast.unparse(node)]
    return "\n".join(lines) + "\n"


def _homes() -> list[tuple[str, str]]:
    return [(name, f"stepforward.{home}") for name, home in sorted(stepforward._HOME.items())]


def _imports(module) -> list[str]:
    nodes = [n for n in ast.parse(inspect.getsource(module)).body if isinstance(n, ast.ImportFrom)]
    wanted = ("typing", "pathlib", "collections.abc", "stepforward.run.progress", "stepforward.verbs.result")
    wanted += ("stepforward.run.given", "stepforward.data.function", "stepforward.verbs.match")
    wanted += ("stepforward.sources.onnx.fixed_inputs",)
    return [ast.unparse(node) for node in nodes if node.module in wanted]


def _keywords() -> list[str]:
    hints = {name: kind | None if optional else kind for name, (kind, optional) in KINDS.items()}
    return [
        f"{name}: {inspect.formatannotation(hint)} = {getattr(Settings, name)!r}"
        for name, hint in hints.items()
    ]


if __name__ == "__main__":
    PAGE.write_text(page())
    STUB.write_text(stub())
