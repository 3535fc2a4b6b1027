"""The Pattern dock: the pattern under the mouse, what is drawn on it, and the ruler."""
