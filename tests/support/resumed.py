"""A run that is cut short at several places, resumed, and replayed from its journal."""

from pathlib import Path
from typing import Any

from stepforward import journal as journals
from stepforward.verbs.adapt import adapt
from stepforward.verbs.replay import replay


def resume_and_replay(model: Path, data: Any, folder: Path, options: dict[str, Any]) -> journals.Journal:
    """Check that the same file and journal come of it; the journal."""
    whole = adapt(model, data, out=folder / "whole", **options)
    content = (folder / "whole" / "journal").read_bytes()
    replay(model, folder / "whole" / "journal", out=folder / "again.onnx")
    assert (folder / "again.onnx").read_bytes() == (folder / "whole" / "adapted.onnx").read_bytes()
    (folder / "cut").mkdir()
    header = 16 + len(journals.settings_text(journals.parse(content).settings))
    for length in (header, header + 30, (header + len(content)) // 2, len(content) - 1):
        (folder / "cut" / "journal").write_bytes(content[:length])
        again = adapt(model, data, out=folder / "cut", resume=True, **options)
        assert again["weights_sha256"] == whole["weights_sha256"], length
        assert (folder / "cut" / "journal").read_bytes() == content
    return journals.parse(content)
