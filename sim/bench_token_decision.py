# SPDX-License-Identifier: Apache-2.0
"""Bench of kernels_rtl/token_decision.sv against the golden decision.

Passes follow each other with and without gaps, so that the last rows of one are still under way
when the first ones of the next come with other constants.
"""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hwgen.estimate.latency import TOKEN_DECISION
from hwgen.golden.select import kept_rows, most_heads
from hwgen.numerics.sigmoid import sigmoid
from hwgen.program.instructions import TokenSelect
from sim.lanes import idle, pack, start_clock

Pass = tuple[TokenSelect, np.ndarray]
"""A selection, and its scores, int8 (rows, lanes)."""

ALL = 65535
"""A limit that no pass reaches."""


def _lanes(dut: Any) -> int:
    return len(dut.scores) // 8


def _selection(
    rows: int,
    heads: int,
    *,
    threshold: int = 256,
    limit: int = ALL,
    prefix: int = 0,
    packages: int = 0,
    merge: int = 0,
) -> TokenSelect:
    """The fields that the decision depends on; the others are zero."""
    return TokenSelect(
        rows=rows, rows_register=0, source_address=0, source_stride=0, destination_address=0,
        destination_stride=0, slices=0, score_address=0, count_register=0, heads=heads,
        threshold=threshold, limit=limit, prefix=prefix, packages=packages, merge=merge,
    )  # fmt: skip


def _close_scores(
    rng: np.random.Generator, lanes: int, heads: int, threshold: int, rows: int
) -> np.ndarray:
    """Of many random rows those whose sums are nearest to zero, some of them zero."""
    scores = rng.integers(-128, 128, (200 * rows, lanes)).astype(np.int8)
    half = lanes // 2
    keep = sigmoid(scores[:, :heads])
    importance = np.maximum(sigmoid(scores[:, half : half + heads]), 1)
    sums = (importance * (keep - threshold)).sum(axis=1)
    return rng.permutation(scores[np.argsort(np.abs(sums), kind="stable")[:rows]])


async def _run(dut: Any, rng: np.random.Generator, passes: list[Pass], gaps: float) -> None:
    """All rows of all passes; each decision has to come, and nothing between two of them."""
    # What is sent in a cycle, and the decision that has to come of it: (kept, index, count).
    rows: list[tuple[TokenSelect, int, np.ndarray] | None] = []
    expected: list[tuple[bool, int, int] | None] = []
    for op, scores in passes:
        kept = kept_rows(op, scores)
        counts = np.cumsum(kept)
        for row in range(op.rows):
            while rng.random() < gaps:
                rows.append(None)
                expected.append(None)
            rows.append((op, row, scores[row]))
            expected.append((bool(kept[row]), int(counts[row] - kept[row]), int(counts[row])))
    last = 0
    for step in range(len(rows) + TOKEN_DECISION):
        sent = rows[step] if step < len(rows) else None
        dut.row_valid.value = int(sent is not None)
        if sent is not None:
            op, row, scores = sent
            head, tail = row < op.prefix, row >= op.rows - op.packages
            dut.row_first.value = int(row == 0)
            dut.scores.value = pack(scores, 8)
            dut.forced.value = int(head or tail)
            dut.forced_keep.value = int(head or (tail and not op.merge))
            dut.threshold.value = op.threshold
            dut.heads.value = op.heads
            dut.limit.value = op.limit
        else:
            # Without a row nothing counts.
            dut.row_first.value = int(rng.integers(2))
            dut.forced.value = int(rng.integers(2))
            dut.forced_keep.value = 1
        await RisingEdge(dut.clk)
        if step < TOKEN_DECISION:
            continue
        wanted = expected[step - TOKEN_DECISION]
        assert bool(dut.decided_valid.value) == (wanted is not None), step
        if wanted is not None:
            found = bool(dut.kept.value), int(dut.kept_index.value), int(dut.kept_count.value)
            assert found == wanted, (rows[step - TOKEN_DECISION], found, wanted)
            last = wanted[2]
        elif any(decision is not None for decision in expected[: step - TOKEN_DECISION]):
            assert int(dut.kept_count.value) == last, "the count stays"


async def _start(dut: Any) -> None:
    start_clock(dut)
    dut.row_valid.value = 0
    await idle(dut, TOKEN_DECISION)


@cocotb.test()
async def every_number_of_heads(dut: Any) -> None:
    """Sums around zero, for every number of heads and for thresholds at their limits."""
    rng = np.random.default_rng(0)
    lanes = _lanes(dut)
    await _start(dut)
    for gaps in (0.0, 0.3):
        passes = []
        for heads in range(most_heads(lanes) + 1):
            for threshold in (0, 1, 200, 256, 400, 511, 512, 513, 1024, 65535):
                rows = int(rng.integers(1, 30))
                scores = _close_scores(rng, lanes, heads, threshold, rows)
                passes.append((_selection(rows, heads, threshold=threshold), scores))
        await _run(dut, rng, passes, gaps)


@cocotb.test()
async def every_score(dut: Any) -> None:
    """Every score against every threshold near its sigmoid, in each head alone."""
    rng = np.random.default_rng(1)
    lanes, half = _lanes(dut), _lanes(dut) // 2
    await _start(dut)
    every = np.arange(-128, 128)
    passes = []
    for head in range(most_heads(lanes)):
        for threshold in rng.permutation(np.unique(sigmoid(every)))[:6]:
            # The other heads are exactly at the threshold, where their importance does not count.
            level = every[sigmoid(every) == threshold][0]
            scores = np.full((len(every), lanes), level)
            scores[:, half:] = rng.integers(-128, 128, (len(every), half))
            scores[:, head] = rng.permutation(every)
            op = _selection(len(every), most_heads(lanes), threshold=int(threshold))
            passes.append((op, scores.astype(np.int8)))
    await _run(dut, rng, passes, 0.0)


@cocotb.test()
async def every_importance(dut: Any) -> None:
    """One head for, one against: the larger importance decides, and one of zero counts 1/512."""
    rng = np.random.default_rng(2)
    lanes, half = _lanes(dut), _lanes(dut) // 2
    heads = most_heads(lanes)
    await _start(dut)
    every = np.arange(-128, 128)
    passes = []
    for _ in range(12):
        scores = np.zeros((len(every), lanes), np.int64)
        one, other = rng.choice(heads, 2, replace=False)
        scores[:, one], scores[:, other] = 127, -127
        scores[:, half + one] = rng.permutation(every)
        scores[:, half + other] = np.clip(
            scores[:, half + one] + rng.integers(-1, 2, len(every)), -128, 127
        )
        passes.append((_selection(len(every), heads), scores.astype(np.int8)))
    await _run(dut, rng, passes, 0.0)


@cocotb.test()
async def all_none_and_limits(dut: Any) -> None:
    """All rows stay, none, one; as many as the limit, one fewer, one more; forced rows besides."""
    rng = np.random.default_rng(3)
    lanes = _lanes(dut)
    heads = most_heads(lanes)
    await _start(dut)
    keep = np.full((40, lanes), 127, np.int8)
    drop = keep.copy()
    drop[:, : lanes // 2] = -127
    single = drop.copy()
    single[17] = 127
    passes = []
    for scores in (keep, drop, single):
        for limit in (0, 1, 2, 36, 37, 38, 40, ALL):
            for prefix, packages, merge in ((0, 0, 0), (1, 2, 0), (2, 1, 1), (20, 20, 0)):
                op = _selection(
                    40, heads, limit=limit, prefix=prefix, packages=packages, merge=merge
                )
                passes.append((op, scores))
    await _run(dut, rng, passes, 0.0)
    await _run(dut, rng, passes[::5], 0.5)


@cocotb.test()
async def random_passes(dut: Any) -> None:
    """Random rows, constants and gaps; passes of a single row among them."""
    rng = np.random.default_rng(4)
    lanes = _lanes(dut)
    await _start(dut)
    for gaps in (0.0, 0.2):
        passes = []
        for _ in range(60):
            rows = int(rng.choice([1, 2, 5, 30]))
            prefix = int(rng.integers(0, min(rows, 3) + 1))
            op = _selection(
                rows,
                int(rng.integers(0, most_heads(lanes) + 1)),
                threshold=int(rng.integers(0, 600)),
                limit=int(rng.choice([0, 1, 3, 10, ALL])),
                prefix=prefix,
                packages=int(rng.integers(0, min(rows - prefix, 3) + 1)),
                merge=int(rng.integers(2)),
            )
            passes.append((op, rng.integers(-128, 128, (rows, lanes)).astype(np.int8)))
        await _run(dut, rng, passes, gaps)
