"""TTS engines. Each is named in `services.tts.engine.ENGINES` and loaded by name."""
