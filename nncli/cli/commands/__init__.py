"""One verb a file; found by scanning."""
