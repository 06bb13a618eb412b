"""Experiment: a config to data, network, loss and optimizer that fit each other."""
