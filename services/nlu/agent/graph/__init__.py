"""The agent `graph`: LangGraph asks what a turn is about, looks it up in the agent's facts, and words what it found."""
