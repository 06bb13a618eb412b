"""The command line: verbs, views and the console."""
