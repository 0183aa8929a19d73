"""Plan of memory for a GGUF model: what fits on which device, worked out before anything is loaded."""
