"""Runs: the directory of a training, its checkpoints and its log of metrics."""
