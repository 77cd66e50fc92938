"""What sums of 63 bits have room for: limits that settings check before any arithmetic is loaded."""

CURVED_DIRECTIONS, CURVED_SAMPLES = 32, 16384
"""Of a step of curved votes: its sums have 63 bits, and so have the steps of the solution."""
