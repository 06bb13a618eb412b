"""Layers: what a network is a list of."""
