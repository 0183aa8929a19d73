"""Models that hear from the voice whether a turn is over. Loaded by name from `services.stt_proxy.end_of_turn`."""
