"""Arithmetic on samples. Sans-IO: no clock, no loop, no socket, and no service is known here."""
