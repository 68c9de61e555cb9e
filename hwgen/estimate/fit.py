# SPDX-License-Identifier: Apache-2.0
"""Refuses an engine that its board cannot hold, and says what to change."""

from hwgen.boards import Limits
from hwgen.errors import FitError
from hwgen.estimate.usage import KINDS, TITLES, Resources

_DEPTHS = {
    "prefetch_buffer": "engine.prefetch_depth",
    "residual_buffer": "engine.residual_depth",
    "work_buffer": "engine.work_depth",
    "value_buffer": "engine.value_depth",
    "score_buffer": "engine.score_depth",
    "accumulator": "engine.max_rows",
}
"""The setting that a module's memory follows from."""


def fit(resources: Resources, limits: Limits, board: str = "the board") -> None:
    """Compares a predicted engine with what a design may take of a device.

    Args:
        limits: a kind that is None there is not compared.
        board: name for the message.

    Raises:
        FitError: names the resource that does not fit most, its largest users and the remedy.
    """
    total = resources.total
    excess = {
        kind: getattr(total, kind) / limit
        for kind in KINDS
        if (limit := getattr(limits, kind)) is not None and getattr(total, kind) > limit
    }
    if not excess:
        return
    kind = max(excess, key=lambda k: excess[k])
    users = resources.largest(kind)
    named = ", ".join(f"{name} {amount:,}" for name, amount in users)
    others = [TITLES[k] for k in excess if k != kind]
    also = f" Also too many: {', '.join(others)}." if others else ""
    raise FitError(
        f"The engine does not fit {board}: it needs {getattr(total, kind):,} {TITLES[kind]} and "
        f"may take {getattr(limits, kind):,}. The largest users are {named}.{also} "
        f"{_advice(kind, [name for name, _ in users])}"
    )


def _advice(kind: str, users: list[str]) -> str:
    fields = [_DEPTHS[name] for name in users if name in _DEPTHS]
    if kind in ("bram36", "uram") and fields:
        return f"Lower {' or '.join(fields)}, or choose a larger board."
    return "Choose a smaller engine.lanes or a larger board."
