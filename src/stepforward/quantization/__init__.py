"""Choose a fixed-point format for every tensor of a float graph."""
