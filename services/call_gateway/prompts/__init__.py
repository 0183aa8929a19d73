"""What the gateway says by itself: recorded for when every stage is down, and in the agent's own words and voice."""
