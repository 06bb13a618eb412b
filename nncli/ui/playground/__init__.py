"""The playground: a small network that trains while its decisions are drawn."""
