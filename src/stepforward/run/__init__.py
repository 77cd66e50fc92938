"""A run: settings, data, steps, validation, the weights that are kept, the folder it leaves."""
