"""Pictures and pages that are made from data and runs."""
