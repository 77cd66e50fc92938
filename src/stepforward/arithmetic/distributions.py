"""The distributions of random directions (contract, section 6), by name, in the order of their codes."""

DISTRIBUTIONS = ("normal", "rademacher", "binomial")
