"""The thinking stage: what the agent says and does next."""
