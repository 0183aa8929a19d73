"""Voice cloning with the speaker's consent: the store of voices, the checks of recordings, and the network's
process.
"""
