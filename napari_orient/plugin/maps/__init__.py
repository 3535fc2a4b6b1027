"""The Orientation map dock: colours, keys, properties, and what is under the mouse."""
