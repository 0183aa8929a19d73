"""What the services know of languages: words, numbers, phrases and reading aloud. Sans-IO. One folder a language."""
