"""What an agent can do outside the call: deeds of tenants' own systems, each done once."""
