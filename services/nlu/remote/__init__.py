"""Parts shared by engines behind HTTP: server-sent events, and failures by their class."""
