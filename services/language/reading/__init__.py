"""Text normalisation for speech: text as written to text as spoken, with the way back."""
