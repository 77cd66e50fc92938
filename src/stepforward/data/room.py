"""Whether samples fit into memory, said before any of it is taken."""

import os
from pathlib import Path

from stepforward.errors import StepforwardError

_CGROUP = Path("/sys/fs/cgroup")


def check_room(where: str, shape: tuple[int, ...]) -> None:
    """Refuse float32 samples of this shape that cannot fit, together with the int8 ones that are made of them.

    Raises:
        StepforwardError: with both figures.
    """
    needed, free = (4 + 1) * _product(shape), available_bytes()
    if free is not None and needed > free:
        sample = " x ".join(map(str, shape[1:]))
        raise StepforwardError(
            f"{where}: {shape[0]:,} samples of {sample} take {gigabytes(needed)} of memory, "
            f"and {gigabytes(free)} are free",
            "give fewer samples at a time, or use a machine with more memory",
        )


def gigabytes(count: int) -> str:
    """Bytes in GB, MB below one GB.

    >>> gigabytes(6_900_000_000), gigabytes(3_100_000)
    ('6.9 GB', '3.1 MB')
    """
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def available_bytes() -> int | None:
    """Memory this process may still take, as far as the system says it."""
    known = [figure for figure in (_free(), _allowed()) if figure is not None]
    return min(known) if known else None


def _free() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None


def _allowed() -> int | None:
    """What a container may still take (cgroup version 2)."""
    try:
        most = (_CGROUP / "memory.max").read_text().strip()
        stat = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        taken = int((_CGROUP / "memory.current").read_text()) - int(stat["inactive_file"])
        return None if most == "max" else max(int(most) - taken, 0)
    except (OSError, ValueError, KeyError):
        return None


def _product(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
