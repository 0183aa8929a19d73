"""Asterisk for the gateway: production's configuration, and a private one for demo and tests."""
