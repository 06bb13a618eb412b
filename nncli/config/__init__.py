"""Config: YAML text to a typed config, and problems to messages with their place."""
