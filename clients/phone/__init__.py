"""A caller for demo and tests: a real SIP phone, or a program on ConnectCall, that asks recorded questions."""
