"""Schedules: how the learning rate changes while training."""

from nncli.core.registry import namespace

__getattr__, __dir__ = namespace("schedule", __name__)
