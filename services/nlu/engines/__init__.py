"""What can think: each engine in its own module, named in the table of services.nlu.engine."""
