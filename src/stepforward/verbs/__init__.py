"""The verbs: one function each, the same words as on the command line."""
