"""How is a map handed to other programs?"""
