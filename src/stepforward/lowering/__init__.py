"""From a network in fixed point to a program: stored layouts, and every real ratio as a pair of integers."""
