"""The Predict dock: a trained network reads the orientations of a scan."""
