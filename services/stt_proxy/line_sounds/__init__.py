"""Sounds of a telephone line that are not speech: keys, call progress tones, fax, beeps and music. Sans-IO, 8 kHz."""
