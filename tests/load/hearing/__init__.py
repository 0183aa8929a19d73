"""`python -m tests.load.hearing`: how well and how soon each engine recognises speech on a telephone."""
