"""Losses: what training makes small."""

from nncli.core.registry import namespace

__getattr__, __dir__ = namespace("loss", __name__)
