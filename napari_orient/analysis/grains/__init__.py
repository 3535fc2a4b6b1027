"""Which grains does a map or a volume hold, and what are they like?"""
