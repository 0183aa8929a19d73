"""The four services and what they share."""

import os

# Numpy's linear algebra is used here on matrices of a few dozen rows. OpenBLAS would wake a thread a core for each, and
# they spin while they wait: measured, twice the gateway's CPU. It reads this when it is loaded, so it is set first.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
