"""The Reconstruct dock: a map or a volume with the statistics of a map, watched while it grows."""
