"""The Compare dock: how far can a map be trusted?"""
