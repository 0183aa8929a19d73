"""What a call was about and what came of it, once it is over or goes to a person."""
