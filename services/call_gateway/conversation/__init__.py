"""The conversation with one caller, without input or output: events and `now` come in, commands come out.

Read in this order: `conversation` tells the story of a call. `turn` is the floor: its states and every move between
them. `caller` is the caller's side: `endpointing` (when a turn is over), `turn_taking` (`drafts`, the end, the words),
`interruptions` (`barge_in` judges, `echo` vetoes), `corrections`. `agent` is the agent's side: one `agent_turn` each,
spoken by a `voice`, put on the line by `playout`, which is the ledger of what was heard. `trouble` and `ear_watch` mend
stages; `keys`, `silence`, `actions`, `announcer` and `ending` do what their names say; `record` and `history` write it
down. `line` and `events` are what it is told, `commands` what it asks for, `news` what watchers learn.
"""
