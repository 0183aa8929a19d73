"""The edge to Asterisk: its REST interface and events (ARI) for control, RTP for sound."""
