"""REST client of the adapters: limits, retries, a breaker and renewed tokens."""
