"""Fixtures and settings of every test."""

from hypothesis import settings

settings.register_profile("busy", deadline=None)  # an example may be slow on a busy machine and right all the same
settings.load_profile("busy")
