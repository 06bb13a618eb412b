"""Metrics: what a person wants to know of predictions."""
