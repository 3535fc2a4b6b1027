"""The Virtual detectors dock: a table, shapes, and images that follow."""
