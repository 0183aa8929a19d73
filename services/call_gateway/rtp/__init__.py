"""RTP without input or output: bytes and `now` come in, values go out (RFC 3550, RFC 3551, RFC 4733)."""
