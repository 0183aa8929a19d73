"""NVIDIA NeMo's FastPitch with a vocoder, on several GPUs, batched over calls."""
