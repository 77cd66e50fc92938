"""Labelled samples from folders, CSV and .npz files, turned into what the network reads."""
