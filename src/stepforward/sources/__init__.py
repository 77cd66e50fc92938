"""One file or folder for every kind of model file: read into a network, written back with other weights."""
