"""Neural networks from scratch in NumPy."""
