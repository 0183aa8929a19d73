"""espeak-ng in a process of its own, reached through a pipe, since it is under GPL-3."""
