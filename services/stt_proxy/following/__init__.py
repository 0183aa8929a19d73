"""Streaming recognition: streams of a recogniser, the words known from them, and the call that feeds them."""
