"""Logistic regression with an L2 penalty over features that are there or not, by accelerated gradients (Nesterov).

Written out so that the weights can be learnt wherever the service runs: only numpy is needed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

ITERATIONS = 500
TOLERANCE = 1e-5  # of the largest weight, scaled
POWER_ITERATIONS = 20
CURVATURE = 0.25  # the most that the logistic loss curves
MARGIN = 1.05  # over the estimate of the largest eigenvalue

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Design:
    """A sparse matrix of zeros and ones, row by row; its last column is all ones, for the bias."""

    columns: NDArray[np.int64]  # of every one, the rows one after the other
    rows: NDArray[np.int64]  # of every one
    starts: NDArray[np.int64]  # of each row, in `columns`
    n_columns: int

    @classmethod
    def of(cls, examples: Sequence[Collection[str]], names: Sequence[str]) -> "Design":
        """`names`: of the columns but the last; a feature that is not among them is left out."""
        index = {name: column for column, name in enumerate(names)}
        listed = [[*sorted(index[name] for name in one if name in index), len(names)] for one in examples]
        counts = np.array([len(columns) for columns in listed])
        columns = np.fromiter(chain.from_iterable(listed), dtype=np.int64, count=int(counts.sum()))
        rows = np.repeat(np.arange(len(listed)), counts)
        return cls(columns, rows, np.concatenate([[0], np.cumsum(counts)[:-1]]), len(names) + 1)

    def dot(self, weights: Floats) -> Floats:
        """The matrix times `weights`, (n_columns,); (n_rows,)."""
        return np.asarray(np.add.reduceat(weights[self.columns], self.starts))

    def dot_transposed(self, values: Floats) -> Floats:
        """The transposed matrix times `values`, (n_rows,); (n_columns,)."""
        return np.asarray(np.bincount(self.columns, values[self.rows], self.n_columns), dtype=np.float64)


def fit(design: Design, is_true: NDArray[np.bool_], importance: Floats, *, l2: float) -> Floats:
    """Weights by column, (n_columns,). `importance`: of each row. The bias is not penalised."""
    penalised = np.ones(design.n_columns)
    penalised[-1] = 0.0
    scale = 1.0 / np.sqrt(design.dot_transposed(importance * CURVATURE) + l2 + 1e-3)
    limit = MARGIN * _largest_eigenvalue(design, importance, scale) + l2 * float((scale**2).max())
    found = ahead = np.zeros(design.n_columns)
    momentum = 1.0
    for _ in range(ITERATIONS):
        weights = scale * ahead
        chance = 1.0 / (1.0 + np.exp(-np.clip(design.dot(weights), -30.0, 30.0)))
        gradient = design.dot_transposed(importance * (chance - is_true)) + l2 * penalised * weights
        moved = ahead - scale * gradient / limit
        if float((moved - found) @ (ahead - moved)) > 0.0:
            momentum = 1.0
        following = (1.0 + np.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
        ahead = moved + (momentum - 1.0) / following * (moved - found)
        change = float(np.abs(moved - found).max())
        found, momentum = moved, following
        if change < TOLERANCE * float(np.abs(moved).max()):
            break
    return np.asarray(scale * found)


def _largest_eigenvalue(design: Design, importance: Floats, scale: Floats) -> float:
    direction = np.ones(design.n_columns)
    length = 1.0
    for _ in range(POWER_ITERATIONS):
        direction = scale * design.dot_transposed(CURVATURE * importance * design.dot(scale * direction))
        length = float(np.linalg.norm(direction))
        direction = direction / length
    return length
