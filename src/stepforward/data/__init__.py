"""Labelled data from folders, .npz and CSV; preprocessing."""
