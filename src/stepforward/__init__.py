"""Adapt a trained network to your own data: forward passes only, in integers."""

__version__ = "0.1.0"
