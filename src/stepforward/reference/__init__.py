"""The definition: the arithmetic contract in NumPy int64."""
