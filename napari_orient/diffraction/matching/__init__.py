"""Orientations from patterns by template matching: a library, a search, a refinement, a verdict."""
