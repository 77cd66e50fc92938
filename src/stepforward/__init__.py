"""Adapt a trained network to your own data: forward passes only, in integers."""
