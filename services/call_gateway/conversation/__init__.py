"""The conversation with one caller, without input or output: events and `now` come in, commands come out.

Read the files in this order. `floor` is the table: who has the floor, and what each move does. `conversation` gives
each event to the policies it concerns and makes the moves that the policies decide on. `call` is the state of one call:
`user_turn` (with `endpointing`), `reply` (with `voice`), `playout`, `record`. `effects` and `replying` hold the
functions by which moves change that state. The policies: `turn_taking`, `barge_in`, `keys`, `stage_health`, `waiting`,
`line_watch`, `actions`. `events` and `line` are what the conversation is told, `commands` what it asks for and what the
log, the metrics and watchers are told. `settings` are its figures.
"""
