"""Training: the loop, its evaluations and what it remembers."""
