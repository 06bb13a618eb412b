"""Checking: the derivative of everything that is registered, or of one config."""
