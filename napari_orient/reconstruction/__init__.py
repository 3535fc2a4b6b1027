"""Orientation fields in 2D and 3D with the statistics of a map."""
