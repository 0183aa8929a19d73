"""The conversation with one caller, without input or output: events and `now` come in, commands come out.

Read in this order. `floor` is the table: who has the floor, and what each move does. `conversation` gives each event to
the policies it concerns and makes the moves they decide on. `call` is what one call is at a moment: `user_turn` (with
`endpointing`), `reply` (with `voice`), `playout`, `record`. `effects` and `replying` are what moves do to it. The
policies: `turn_taking`, `barge_in`, `keys`, `stage_health`, `waiting`, `silence`, `line_watch`, `actions`, `ending`.
`events` and `line` are what the conversation is told, `commands` what it asks for, `news` what watchers learn.
"""
