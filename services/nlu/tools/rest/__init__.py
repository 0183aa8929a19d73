"""What adapters of REST services share: one client with limits, retries, a breaker and renewed tokens."""
