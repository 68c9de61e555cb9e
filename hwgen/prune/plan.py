# SPDX-License-Identifier: Apache-2.0
"""What the user asks of pruning, checked; and the stages that follow without training.

This module needs no torch.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

from hwgen.errors import ConfigError, DataError
from hwgen.keep_ratios import FEATURES
from hwgen.prune.insert import Package, check_blocks
from hwgen.prune.latency import LatencyTable
from hwgen.prune.schedule import (
    Stage,
    check_stages,
    check_target,
    for_target,
    milliseconds,
    reachable,
    searched,
)


@dataclass(frozen=True)
class Request:
    """What to prune to.

    Either ``selectors`` (blocks, from 1) with ``keep``, the share of the image's tokens behind
    each; or ``selectors`` with ``target_ms``, from which the ratios follow; or ``target_ms`` alone,
    and the schedule is searched for (``schedule.search``), losing at most ``allowed_drop`` of the
    accuracy, with ``search_steps`` steps of training for each candidate.
    """

    selectors: tuple[int, ...] = ()
    keep: tuple[float, ...] = ()
    target_ms: float | None = None
    package: Package = "merged"
    features: int = FEATURES
    threshold: float = 0.5
    allowed_drop: float = 0.005
    search_steps: int = 100


def fixed_stages(
    request: Request, model: str, depth: int, table: LatencyTable
) -> tuple[Stage, ...] | None:
    """The stages of ``request`` for a model of ``depth`` blocks; None where they are searched for.

    Raises ConfigError when the request contradicts itself, names impossible blocks or ratios, or a
    latency that cannot be reached.
    """
    _check_numbers(request)
    if table.blocks != depth:
        raise ConfigError(
            f"The latency table is of '{table.model}' with {table.blocks} blocks; '{model}' has "
            f"{depth}. Make its own with `hwgen latency-table`."
        )
    if not request.selectors:
        if request.keep:
            raise ConfigError(
                "Keep ratios were given without blocks; name the blocks that token selectors "
                "stand in front of, as --selectors 3,5."
            )
        if request.target_ms is None:
            raise ConfigError(
                "Nothing says how far to prune. Give a target latency (--target-latency MS), or "
                "blocks and keep ratios (--selectors 3,5 --keep 0.45,0.25)."
            )
        check_target(table, searched(table), request.target_ms)
        return None
    check_blocks(model, request.selectors, depth, first=2)
    if not request.keep:
        if request.target_ms is None:
            raise ConfigError(
                "Blocks were given without keep ratios or a target latency; add --keep with one "
                "ratio for each block, or --target-latency."
            )
        return for_target(table, request.selectors, request.target_ms)
    return _given_stages(request, table)


def _given_stages(request: Request, table: LatencyTable) -> tuple[Stage, ...]:
    if len(request.keep) != len(request.selectors):
        raise ConfigError(
            f"{len(request.keep)} keep ratios were given for {len(request.selectors)} token "
            "selectors; give one ratio for each."
        )
    pairs = zip(request.selectors, request.keep, strict=True)
    stages = tuple(Stage(block, keep) for block, keep in pairs)
    check_stages(stages)
    latency = milliseconds(table, stages)
    if request.target_ms is not None and latency > request.target_ms:
        shortest, dense = reachable(table, request.selectors)
        raise ConfigError(
            f"Keep ratios {', '.join(f'{k:g}' for k in request.keep)} take {latency:.4g} ms, more "
            f"than the target latency of {request.target_ms:g} ms. With these selectors "
            f"{shortest:.4g} to {dense:.4g} ms are reachable; give smaller ratios, or leave --keep "
            "out and they are found."
        )
    return stages


def _check_numbers(request: Request) -> None:
    if request.target_ms is not None and not 0 < request.target_ms < inf:
        raise ConfigError(
            f"The target latency is {request.target_ms:g} ms; it must be above 0 and finite."
        )
    if not 0 < request.threshold < 1:
        raise ConfigError(
            f"The decision threshold is {request.threshold:g}; it must be between 0 and 1."
        )
    if request.features < 1:
        raise ConfigError(f"A selector with {request.features} features is not possible; give 16.")


def save_stages(stages: Sequence[Stage], path: Path) -> None:
    """Writes the stages beside a run, for it to go on with."""
    path.write_text(json.dumps([vars(stage) for stage in stages], indent=2) + "\n")


def load_stages(path: Path) -> tuple[Stage, ...]:
    """Reads what ``save_stages`` wrote; raises DataError where that is not possible."""
    try:
        found = json.loads(path.read_bytes())
        return tuple(Stage(int(item["block"]), float(item["keep"])) for item in found)
    except (OSError, ValueError, TypeError, KeyError):
        raise DataError(
            f"{path} cannot be read; it holds the schedule of the run to resume. Leave --resume "
            "out to start anew."
        ) from None


def check_same_stages(stages: Sequence[Stage], begun: Sequence[Stage], path: Path) -> None:
    """Raises ConfigError when a run with ``begun``, read from ``path``, would go on with other
    ``stages``.
    """
    if tuple(stages) != tuple(begun):
        raise ConfigError(
            f"The run to resume keeps {_words(begun)} ({path}); this one is to keep "
            f"{_words(stages)}. Resume with what it was begun with, or choose another output."
        )


def _words(stages: Sequence[Stage]) -> str:
    return ", ".join(f"{stage.keep:.4g} from block {stage.block} on" for stage in stages)
