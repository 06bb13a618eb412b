"""The mathematics: one file a family, each op a Function with its derivative."""
