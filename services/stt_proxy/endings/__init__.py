"""Does a text end as callers' turns end? Learnt, by language, from what callers say (`talk/`).

`train.py` makes the weights from the talk; `model.py` reads them while calls are served.
"""
