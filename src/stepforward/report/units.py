"""Numbers the way people read them: bytes, per cent, points, seconds, losses."""

import math
from collections.abc import Sequence
from typing import TypeGuard

ABSENT = "–"


def show_bytes(count: int | None) -> str:
    """Bytes, exact up to five digits.

    >>> show_bytes(1234), show_bytes(12595), show_bytes(3 * 2**20)
    ('1,234 B', '12.3 KiB', '3.0 MiB')
    """
    if count is None:
        return ABSENT
    if count < 10_000:
        return f"{count:,} B"
    size, units = count / 1024, iter(("KiB", "MiB", "GiB"))
    unit = next(units)
    while size >= 1000 and unit != "GiB":
        size, unit = size / 1024, next(units)
    return f"{size:,.1f} {unit}"


def show_percent(fraction: float | None) -> str:
    """A fraction as per cent.

    >>> show_percent(0.927)
    '92.7 %'
    """
    return ABSENT if not _finite(fraction) else f"{100 * fraction:.1f} %"


def show_points(before: float | None, after: float | None) -> str:
    """The difference of two fractions in percentage points, signed.

    >>> show_points(0.58, 0.927), show_points(0.9, 0.9)
    ('+34.7 points', '0.0 points')
    """
    if not _finite(before) or not _finite(after):
        return ABSENT
    points = round(100 * (after - before), 1)
    return f"{points:+.1f} points" if points else "0.0 points"


def show_range(ends: Sequence[float] | None) -> str:
    """Two fractions as per cent.

    >>> show_range((0.5504, 0.66))
    '55.0 to 66.0 %'
    """
    return ABSENT if ends is None else f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f} %"


def show_points_range(ends: Sequence[float] | None) -> str:
    """Two differences of fractions in percentage points, signed.

    >>> show_points_range((-0.012, 0.0634))
    '-1.2 to +6.3 points'
    """
    return ABSENT if ends is None else f"{100 * ends[0]:+.1f} to {100 * ends[1]:+.1f} points"


def show_seconds(seconds: float | None) -> str:
    """A duration.

    >>> show_seconds(0.05), show_seconds(41.26), show_seconds(200)
    ('0.05 s', '41.3 s', '3 min 20 s')
    """
    if not _finite(seconds):
        return ABSENT
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def show_count(count: int | None) -> str:
    """A whole number with thousands separated.

    >>> show_count(12000)
    '12,000'
    """
    return ABSENT if count is None else f"{count:,}"


def show_loss(loss: float | None) -> str:
    """A loss in nats per sample.

    >>> show_loss(0.12345)
    '0.123'
    """
    return ABSENT if not _finite(loss) else f"{loss:.3f}"


def show_ratio(part: float | None, whole: float | None) -> str:
    """part / whole with two digits.

    >>> show_ratio(16384, 16384)
    '1.00'
    """
    return ABSENT if part is None or not whole else f"{part / whole:.2f}"


def _finite(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)
