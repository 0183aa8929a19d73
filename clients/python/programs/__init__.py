"""The five programs. Flags and output are those of docs/CLIENTS.md, the same in every language."""
