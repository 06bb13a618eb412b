"""Data: datasets, splits, transforms and batches."""
