"""Pages of runs, and the playground, served to a browser on this machine."""
