"""Read a trained network into one canonical float graph."""
