"""espeak-ng at arm's length: it is GPL-3, so it runs in a process of its own, reached through a pipe."""
