"""The hub: a network in fixed point, whatever file it came from."""
