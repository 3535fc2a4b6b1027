"""Which maps of the vendors are read, and to whose axes do their angles refer?"""
