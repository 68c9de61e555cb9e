# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of a training run, written whole or not at all."""

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hwgen.errors import DataError, ModelError
from hwgen.ir.graph import Graph, TokenSelector


@dataclass(frozen=True)
class Checkpoint:
    """``step`` steps and ``seconds`` into a run: the state of network and optimiser."""

    model: str
    selectors: str
    step: int
    seconds: float
    network: dict[str, Any]
    optimiser: dict[str, Any]


_KINDS = {
    "model": str,
    "selectors": str,
    "step": int,
    "seconds": float,
    "network": dict,
    "optimiser": dict,
}


def fingerprint(graph: Graph) -> str:
    """A hash of the weights of ``graph``, which tells models apart."""
    digest = hashlib.sha256()
    for op in graph.ops:
        for name, value in vars(op).items():
            if isinstance(value, np.ndarray):
                digest.update(f"{op.name} {name} {value.shape}".encode())
                digest.update(np.ascontiguousarray(value, np.float32).tobytes())
    return digest.hexdigest()


def selectors_of(graph: Graph) -> str:
    """Where the selectors of ``graph`` stand and what they do, in words."""
    return "; ".join(
        f"{op.name}: {op.local_weight.shape[1]} features, {op.activation}, threshold "
        f"{op.threshold:g}, package {op.package}"
        for op in graph.ops
        if isinstance(op, TokenSelector)
    )


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Writes ``checkpoint``; a file that was there is replaced in one step."""
    part = path.with_name(path.name + ".part")
    torch.save(dict(vars(checkpoint)), part)
    part.replace(path)


def load(path: Path, model: str, selectors: str) -> Checkpoint:
    """Reads the checkpoint of a run on the model with fingerprint ``model``.

    Raises:
        DataError: the file is missing or is no checkpoint.
        ModelError: it belongs to another model or to other selectors.
    """
    if not path.is_file():
        raise DataError(f"There is no checkpoint {path} to resume from; leave --resume out.")
    try:
        found = Checkpoint(**torch.load(path, weights_only=True, map_location="cpu"))
    except Exception as error:  # Unpickling damaged bytes can raise anything.
        raise damaged(path, error) from None
    if not all(isinstance(getattr(found, f.name), _KINDS[f.name]) for f in fields(found)):
        raise damaged(path, TypeError("its fields have wrong types"))
    if found.step < 0:
        raise damaged(path, ValueError(f"step {found.step}"))
    if found.model != model:
        raise ModelError(
            f"{path} is a checkpoint of another model (weights {found.model[:12]}, this model "
            f"{model[:12]}). Resume with the model it was made from, or choose another output."
        )
    if found.selectors != selectors:
        raise ModelError(
            f"{path} was made with other selectors ({found.selectors}); this run has {selectors}. "
            "Resume with the same --selectors, --package, --features and --threshold, or choose "
            "another output."
        )
    return found


def damaged(path: Path, error: Exception) -> DataError:
    """What to say of a checkpoint that ``error`` came of."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return DataError(
        f"{path} is no checkpoint of `hwgen prune`, or is damaged ({reason}). Delete it and start "
        "anew."
    )
