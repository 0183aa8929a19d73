"""Who answers: the agent that a YAML file describes, and what it does with a turn."""
