"""A VITS voice (https://arxiv.org/abs/2106.06103) exported to ONNX by Piper, run so that sound comes in chunks."""
