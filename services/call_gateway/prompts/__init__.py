"""Prompts, the gateway's own words: recorded for when every stage is down, and in the agent's own words and voice."""
