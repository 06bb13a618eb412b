"""Network: layers over one flat array of parameters."""
