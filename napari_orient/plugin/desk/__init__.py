"""The Desk dock: sessions saved and laid out again."""
