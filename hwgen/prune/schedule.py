# SPDX-License-Identifier: Apache-2.0
"""Where selectors stand and how much each keeps: HeatViT's latency-aware schedule (Algorithm 1).

This module needs no torch: what trains and tests a candidate is given as a function.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hwgen.errors import ConfigError
from hwgen.prune.latency import LatencyTable

FIRST_BLOCK = 4
"""The first block that the search puts a selector in front of (HeatViT: never in the first 3)."""

SIMILAR = 0.1
"""Neighbouring selectors whose keep ratios differ by less become one."""

STEP = 0.1
"""How much of its dense latency a block loses at a step of the search."""

PRECISION = 1e-4
"""Of keep ratios that are solved for."""


@dataclass(frozen=True)
class Stage:
    """A selector in front of ``block`` (from 1), and the share of the image's tokens that is to
    stay behind it on average."""

    block: int
    keep: float


Tune = Callable[[tuple[Stage, ...]], float]
"""Trains a network with these stages for a while and returns its accuracy, 0 to 1."""


def check_stages(stages: Sequence[Stage]) -> None:
    """Raises ConfigError for keep ratios outside (0, 1], or that rise from stage to stage."""
    for stage in stages:
        if not 0 < stage.keep <= 1:
            raise ConfigError(
                f"The keep ratio {stage.keep:g} of the selector in front of block {stage.block} is "
                "not possible; keep ratios are above 0 and at most 1."
            )
    for earlier, later in pairwise(stages):
        if later.keep > earlier.keep:
            raise ConfigError(
                f"The keep ratio rises from {earlier.keep:g} to {later.keep:g} at block "
                f"{later.block}. Ratios are shares of all the image's tokens, and dropped tokens "
                "do not come back: give ratios that fall, as 0.7,0.5,0.35."
            )


def milliseconds(table: LatencyTable, stages: Sequence[Stage]) -> float:
    """Predicted latency of an image with the stages' average tokens."""
    keep = [
        min((s.keep for s in stages if s.block <= block), default=1.0)
        for block in range(1, table.blocks + 1)
    ]
    shares = [max(share, table.least_ratio) for share in keep]
    return table.milliseconds(table.cycles(shares, [s.block for s in stages]))


def reachable(table: LatencyTable, blocks: Sequence[int]) -> tuple[float, float]:
    """Shortest and longest predicted latency, ms, with selectors in front of ``blocks``."""
    shortest = milliseconds(table, [Stage(block, table.least_ratio) for block in blocks])
    return shortest, milliseconds(table, [])


def check_target(table: LatencyTable, blocks: Sequence[int], target_ms: float) -> None:
    """Raises ConfigError when ``target_ms`` cannot be reached, or is no aim at all."""
    shortest, dense = reachable(table, blocks)
    where = f"block{'s' if len(blocks) > 1 else ''} {', '.join(map(str, blocks))}"
    if shortest >= dense:
        raise ConfigError(
            f"Selectors in front of {where} of '{table.model}' take longer than they save: "
            f"{shortest:.4g} ms at least, {dense:.4g} ms unpruned. Give fewer, or earlier blocks."
        )
    reach = (
        f"With selectors in front of {where}, '{table.model}' on {table.board} at "
        f"{table.clock_mhz:g} MHz reaches {shortest:.4g} ms (keep ratio {table.least_ratio:g}) to "
        f"{dense:.4g} ms (unpruned)"
    )
    if target_ms < shortest:
        raise ConfigError(
            f"The target latency of {target_ms:g} ms is below what is reachable. {reach}. Give a "
            "longer one, selectors at earlier blocks, or a table with smaller keep ratios."
        )
    if target_ms >= dense:
        raise ConfigError(
            f"The target latency of {target_ms:g} ms needs no pruning. {reach}. Give a shorter one."
        )


def searched(table: LatencyTable, first_block: int = FIRST_BLOCK) -> range:
    """The blocks that ``search`` puts selectors in front of."""
    return range(min(first_block, table.blocks), table.blocks + 1)


def for_target(table: LatencyTable, blocks: Sequence[int], target_ms: float) -> tuple[Stage, ...]:
    """Stages in front of ``blocks`` with ratios r, r^2, r^3, ... that just reach ``target_ms``.

    This is the rule of SPViT (base rate 0.7: 0.7, 0.49, 0.343), with r solved for.

    Raises ConfigError as ``check_target`` does.
    """
    check_target(table, blocks, target_ms)
    low, high = 0.0, 1.0
    while high - low > PRECISION / 2:
        middle = (low + high) / 2
        fits = milliseconds(table, _geometric(table, blocks, middle)) <= target_ms
        low, high = (middle, high) if fits else (low, middle)
    return _geometric(table, blocks, low)


def search(
    table: LatencyTable,
    target_ms: float,
    tune: Tune,
    accuracy: float,
    *,
    allowed_drop: float = 0.005,
    first_block: int = FIRST_BLOCK,
    similar: float = SIMILAR,
    log: Callable[[str], None] = lambda line: None,
) -> tuple[Stage, ...]:
    """Finds stages that reach ``target_ms`` (HeatViT Algorithm 1).

    From the last block to ``first_block``, a selector is put in front of the block and its share
    lowered, each time by STEP of the block's dense latency (``rho = LUT^-1(t)``), as long as
    ``tune`` finds the accuracy within ``allowed_drop`` of ``accuracy``. Once the target is
    reached, neighbours with similar ratios are merged. Where it is not reached within the allowed
    drop, all ratios are lowered together until it is, and the log says so.

    Raises ConfigError as ``check_target`` does.
    """
    first = min(first_block, table.blocks)
    check_target(table, searched(table, first_block), target_ms)
    stages: tuple[Stage, ...] = ()
    for block in range(table.blocks, first - 1, -1):
        limit = stages[0].keep if stages else table.least_ratio
        dense = table.block(block, 1.0)
        cycles = dense
        while True:
            cycles -= STEP * dense
            # A block sees at least what later ones see.
            keep = max(table.keep_for(block, cycles), limit)
            candidate = _with_first(stages, Stage(block, keep))
            found = tune(candidate)
            latency = milliseconds(table, candidate)
            log(
                f"selector in front of block {block} keeps {keep:.3f}: accuracy "
                f"{100 * found:.2f} %, {latency:.4g} ms"
            )
            if accuracy - found > allowed_drop:
                break
            stages = candidate
            if latency <= target_ms:
                return merged(stages, similar)
            if keep <= limit:
                break
    log(
        f"the target of {target_ms:g} ms is not reached within {100 * allowed_drop:g} points of "
        "accuracy; all keep ratios are lowered until it is"
    )
    blocks = [stage.block for stage in merged(stages, similar)] or [first]
    if target_ms < reachable(table, blocks)[0]:
        blocks = list(searched(table, first_block))
    return merged(for_target(table, blocks, target_ms), similar)


def merged(stages: Sequence[Stage], similar: float = SIMILAR) -> tuple[Stage, ...]:
    """Of neighbours whose keep ratios differ by less than ``similar``, the first one's place with
    the last one's ratio: no block gets more tokens than before.

    A selector that keeps every token goes away.
    """
    result: list[Stage] = []
    head = 1.0
    for stage in stages:
        if result and head - stage.keep < similar:
            result[-1] = Stage(result[-1].block, stage.keep)
        elif stage.keep < 1:
            result.append(stage)
            head = stage.keep
    return tuple(result)


def _geometric(table: LatencyTable, blocks: Sequence[int], base: float) -> tuple[Stage, ...]:
    powers = (max(base**stage, table.least_ratio) for stage in range(1, len(blocks) + 1))
    return tuple(Stage(block, keep) for block, keep in zip(blocks, powers, strict=True))


def _with_first(stages: tuple[Stage, ...], stage: Stage) -> tuple[Stage, ...]:
    """``stages`` with ``stage`` in front, in the place of one at the same block."""
    return (stage, *(s for s in stages if s.block != stage.block))
