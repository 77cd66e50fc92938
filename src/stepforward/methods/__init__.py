"""Training methods, each written against the engine protocol."""
