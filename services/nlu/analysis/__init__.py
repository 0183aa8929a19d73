"""Analysis of a call, once it is over or goes to a person: outcome, sentiment, deeds and summary."""
