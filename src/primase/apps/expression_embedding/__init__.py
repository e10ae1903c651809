"""Expression embedding: which few numbers describe a sample, and what a new one would look like."""
