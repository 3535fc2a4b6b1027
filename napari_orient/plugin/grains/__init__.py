"""The Grains & texture dock: what does a map, or a volume, say about the material?"""
