"""Which networks read an orientation from a pattern?"""
