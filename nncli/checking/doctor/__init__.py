"""Doctor: what a short look at a config's data, network and first steps shows."""
