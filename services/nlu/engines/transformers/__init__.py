"""Engine `transformers`: models of Hugging Face in this process, batched over calls by the library itself."""
