"""The languages of the services: words, numbers, phrases and reading aloud. Sans-IO. One folder a language."""
