"""Lower a fixed-point graph to a flat list of integer operators over one planned arena."""
