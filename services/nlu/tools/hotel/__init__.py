"""The tools of a house that lets rooms, on an SQLite file."""
