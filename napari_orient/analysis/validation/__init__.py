"""Are two maps, or a map and sections of a volume, of one material?"""
