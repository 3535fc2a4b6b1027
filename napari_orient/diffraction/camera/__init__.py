"""How is the camera set? Centre, rings, spots, rotation, and lengths measured in a pattern."""
