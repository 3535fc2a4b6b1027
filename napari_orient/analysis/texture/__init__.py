"""Texture: which orientations are preferred, in multiples of a random distribution (mrd)?"""
