"""How is a session kept in a file?"""
