"""How much of the machine other programs are using. Linux; elsewhere unknown counts as none."""

import os
import time
from pathlib import Path

_STAT = Path("/proc/stat")


class Others:
    """Share of all processors' time that went to other programs since the last question."""

    def __init__(self):
        self._last = _now()

    def share(self) -> float:
        """0 for a machine that is ours alone, 1 for one we got nothing of."""
        then, self._last = self._last, _now()
        elapsed, busy, own = (b - a for a, b in zip(then, self._last, strict=True))
        return min(1.0, max(0.0, (busy - own) / (elapsed * (os.cpu_count() or 1)))) if elapsed > 0 else 0.0


def _now() -> tuple[float, float, float]:
    """Seconds: of the clock, of all processors at work, of this process."""
    return time.perf_counter(), _busy(), time.process_time()


def _busy() -> float:
    if not _STAT.exists():
        return 0.0
    user, nice, system, _idle, _wait, irq, soft, steal, *_ = map(int, _STAT.read_text().split()[1:11])
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")
