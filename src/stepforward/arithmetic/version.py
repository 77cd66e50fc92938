"""Which arithmetic this is: the number that journals carry."""

ARITHMETIC = 1
"""Version of the contract (docs/arithmetic.md). Whoever changes one bit of plans, losses, votes or weights adds one:
old journals are then refused, not replayed to other weights. tests/arithmetic/test_version.py has a digest of each."""
