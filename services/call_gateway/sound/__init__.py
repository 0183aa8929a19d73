"""All signal processing of a call, without input or output: packets of the line go in, events come out.

`call_sound` puts the parts together. `track` holds the last seconds of both directions and computes the level of each
frame, once. `echo` (with `echo_path`) recognises the agent's own voice on the line; `line_monitor` measures tones and
music, and notices that packets stay away; `energy_detector` finds speech by its level while the STT stage is lost;
`chunks` (with `chunk_policy`) cuts the caller's audio for the STT stage and keeps it until it is settled.
"""
