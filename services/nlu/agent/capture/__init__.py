"""Exact capture of telephone numbers, e-mail addresses, names and codes. Sans-IO."""
