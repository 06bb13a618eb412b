"""Schedules: how the learning rate changes while training."""
