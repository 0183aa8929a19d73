"""Images and the stack in containers: `make images`, `make compose-up`, `make compose-call`, `make compose-kills`."""
