"""Recognisers that follow the sound: their streams, what is known of their words, and the call that feeds them."""
