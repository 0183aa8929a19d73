"""What engines behind HTTP share: server-sent events, and failures by their class."""
