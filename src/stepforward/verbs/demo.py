"""The demo: a digit recogniser trained on three speakers meets a fourth."""

from pathlib import Path
from typing import Any

from stepforward.digits.clips import load_clips, model_path
from stepforward.run.progress import OnProgress
from stepforward.settings import takes_settings
from stepforward.sources.open import open_source
from stepforward.verbs.adapt import adapt
from stepforward.verbs.result import Result

OPTIONS = {"train": "all", "seed": 0, "first_stage": "none"}
"""Settings of the demo, whose model is a float one without statistics to match; every other setting is the default."""


@takes_settings
def demo(
    out: str | Path | None = None,
    *,
    overwrite: bool = False,
    resume: bool = False,
    on_progress: OnProgress | None = None,
    **options: Any,
) -> Result:
    """Adapt the shipped speech network to a new speaker, forward only, in integers.

    100 clips of the speaker (10 per digit) adapt it; 300 others measure it and are used for nothing else.

    Args:
        out: run folder, as of `adapt`.
        overwrite: replace the files of an earlier demo in `out`.
        resume: resume a stopped demo in `out`.
        on_progress: called after every step.
        options: of `adapt`, instead of the demo's own settings.
    """
    opened = open_source(model_path())
    adapting, testing = (load_clips(part, opened.preprocessing or {}) for part in ("adapt", "test"))
    return adapt(
        opened,
        adapting,
        test=testing,
        out=out,
        resume=resume,
        overwrite=overwrite,
        on_progress=on_progress,
        command="stepforward demo",
        **{**OPTIONS, **options},
    )
