"""Tools on tenants' own systems: reads, and deeds that are each done once."""
