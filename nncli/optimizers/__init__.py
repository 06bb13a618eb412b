"""Optimizers: how parameters move."""

from nncli.core.registry import namespace

__getattr__, __dir__ = namespace("optimizer", __name__)
