"""Tables: files and frames of columns, and how columns become numbers."""
