"""Metrics: what a person wants to know of predictions."""

from nncli.core.registry import namespace

__getattr__, __dir__ = namespace("metric", __name__)
