"""NLU stage: the agent's replies and acts, as the gRPC service `voice.nlu.v1.NluService`."""
