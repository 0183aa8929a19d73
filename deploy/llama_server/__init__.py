"""llama.cpp's own server, built from the sources in llama-cpp-python's archive."""
