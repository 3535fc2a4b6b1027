"""The Train dock: networks that read orientations from patterns."""
