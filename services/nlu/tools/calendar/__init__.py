"""Calendars: when somebody is busy, and events made, moved and deleted."""
