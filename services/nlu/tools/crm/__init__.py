"""CRMs: who calls, and what the call left to do."""
