"""What is printed? The view or the pattern, its words, and the dialog."""
