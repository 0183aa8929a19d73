"""The agents: each is described by a YAML file and makes the replies of its calls."""
