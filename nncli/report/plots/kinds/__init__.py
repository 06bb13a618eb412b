"""Kinds of pictures: a file each, found by scanning."""
