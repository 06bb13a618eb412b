"""The doctor's checks: each file holds one, found by scanning this package."""
