"""What every room uses: errors, text, signatures, registries, randomness, arrays."""
