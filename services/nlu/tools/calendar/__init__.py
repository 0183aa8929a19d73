"""Calendars: busy times, and events that are made, moved and deleted."""
