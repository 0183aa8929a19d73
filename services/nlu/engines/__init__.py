"""NLU engines, each in its own module, named in the table of services.nlu.engine."""
