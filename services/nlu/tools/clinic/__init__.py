"""The tools of a practice that gives appointments, on an SQLite file."""
