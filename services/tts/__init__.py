"""TTS stage: speaks text while it is being written, as the gRPC service `voice.tts.v1.TtsService`."""
