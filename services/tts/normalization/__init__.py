"""Text as written to text as spoken, with the way back."""
