"""The rules of protos/README.md as checks that run against any server, in any language, on the wire."""
