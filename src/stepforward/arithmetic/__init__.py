"""The definition: the arithmetic contract (docs/arithmetic.md) in NumPy int64.

Read in this order: `fixedpoint` (the one rounding), the package `operators`, `loss`, `directions` and `tables` (random
directions), `step` (perturbed weights and the update).
"""
