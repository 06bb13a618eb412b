"""Measurements side by side with PyTorch and scikit-learn."""
