"""Networks that read orientations from patterns: what they see, how they learn, what they say."""
