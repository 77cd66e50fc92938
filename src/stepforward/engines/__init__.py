"""Engines: they evaluate losses under perturbations and apply votes to the weights."""
