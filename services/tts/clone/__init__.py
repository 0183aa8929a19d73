"""Voices made from recordings of a person who has agreed: their store, their checks, and the network's own process."""
