# SPDX-License-Identifier: Apache-2.0
"""The TOKEN_SELECT instruction."""

import numpy as np

from hwgen.numerics.fixed_point import INT16_MAX, requantise
from hwgen.numerics.mean import mean_ratio
from hwgen.numerics.sigmoid import sigmoid
from hwgen.program.instructions import TokenSelect

MOST_HEADS = 16


def most_heads(lanes: int) -> int:
    """Heads of a selector: their scores and importances share one vector."""
    return min(MOST_HEADS, lanes // 2)


def kept_rows(op: TokenSelect, scores: np.ndarray) -> np.ndarray:
    """Which rows stay, bool (rows,).

    Args:
        op: with its row count resolved.
        scores: int8 (rows, lanes) in Q3.4: head ``i``'s difference of logits in lane ``i``, the
            logit of its importance in lane ``lanes / 2 + i``.
    """
    half = scores.shape[1] // 2
    keep = sigmoid(scores[:, : op.heads])
    importance = np.maximum(sigmoid(scores[:, half : half + op.heads]), 1)
    informative = (importance * (keep - op.threshold)).sum(axis=1) > 0
    last = op.rows - op.packages
    informative[: op.prefix] = False
    informative[last:] = False
    kept = informative & (np.cumsum(informative) <= op.limit)
    kept[: op.prefix] = True
    kept[last:] = not op.merge
    return kept


def token_select(op: TokenSelect, source: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The rows that are written, int64 (rows written, columns), of ``source`` int16 (rows,
    columns): those ``kept``, in their order, and the mean of the others.
    """
    rows = source.astype(np.int64)
    if not op.package:
        return rows[kept]
    dropped = rows[~kept]
    ratio = mean_ratio(max(1, len(dropped)))
    package = requantise(dropped.sum(axis=0), ratio.multiplier, ratio.shift, INT16_MAX)
    return np.concatenate([rows[kept], package[None]])


def patches_before(rows: int, prefix: int) -> np.ndarray:
    """Of each row before an image's first selection the patch it is, -1 of the first ``prefix``
    rows: int64 (rows,).
    """
    patches = np.arange(rows) - prefix
    patches[:prefix] = -1
    return patches


def patches_behind(op: TokenSelect, patches: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The same of each row that is written, -1 of a package token.

    Args:
        patches: int64 (rows,), of the rows that are read.
        kept: bool (rows,).
    """
    return np.concatenate([patches[kept], np.full(op.package, -1)])
