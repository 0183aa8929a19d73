"""GGUF models by llama.cpp: many conversations on one model, batched token by token."""
