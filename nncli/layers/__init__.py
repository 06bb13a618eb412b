"""Layers: what a network is a list of."""

from nncli.core.registry import namespace

__getattr__, __dir__ = namespace("layer", __name__)
