"""How far the steps of an activation may be halved while samples still fit (docs/arithmetic.md, section 14)."""

LEAST, MOST = -128, 127


def halvings(least: int, most: int, zero_point: int) -> int:
    """How often the steps of an 8-bit activation can be halved with every integer seen staying in range.

    Real values and the zero point stay: an integer q becomes zero_point + 2^k (q - zero_point).

    Args:
        least, most: the integers seen.
        zero_point: of the activation.

    Returns:
        The largest such k, 0 to 7; 0 where nothing but the zero point was seen.

    >>> halvings(-128, -90, -128), halvings(-31, 20, 0), halvings(-128, 127, -128), halvings(0, 0, 0)
    (2, 2, 0, 0)
    """
    below, above = zero_point - min(least, zero_point), max(most, zero_point) - zero_point
    times = 0
    while (
        (below or above)
        and zero_point - (below << times + 1) >= LEAST
        and zero_point + (above << times + 1) <= MOST
    ):
        times += 1
    return times
