"""Memory plan of a GGUF model: what fits on which device, computed before anything is loaded."""
