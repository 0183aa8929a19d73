"""Speaks text while it is being written: the gRPC service `voice.tts.v1.TtsService`."""
