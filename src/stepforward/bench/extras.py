"""What the benchmark needs beyond the package itself."""

from importlib.util import find_spec

from stepforward.errors import StepforwardError

NEEDED = {"torch": "torch", "onnxscript": "torch", "onnxruntime": "ort"}
"""Module name -> the extra that installs it."""


def require() -> None:
    """Refuse to start without the peers.

    Raises:
        StepforwardError: torch or ONNX Runtime is not installed.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        extras = ",".join(sorted({NEEDED[name] for name in missing}))
        raise StepforwardError(
            f"the benchmark compares with torch and ONNX Runtime, and {', '.join(missing)} is not installed",
            f"pip install 'stepforward[{extras}]'",
        )
