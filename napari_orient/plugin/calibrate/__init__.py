"""The Calibrate dock: what is the camera like? Its panels, and the draft that they share."""
