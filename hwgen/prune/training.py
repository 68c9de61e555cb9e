# SPDX-License-Identifier: Apache-2.0
"""Trains a network with token selectors to do what the unpruned network does.

Runs on one device, or through HuggingFace accelerate on many (``accelerate launch``).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from hwgen.data_files import Data
from hwgen.errors import ConfigError
from hwgen.ir.graph import Graph
from hwgen.progress import Progress, silent
from hwgen.prune import processes
from hwgen.prune.batches import Batches
from hwgen.prune.checkpoint import Checkpoint, damaged, fingerprint, load, save, selectors_of
from hwgen.prune.evaluation import evaluate_network
from hwgen.prune.losses import Losses, LossWeights, losses, ranking_loss
from hwgen.prune.network import GraphNetwork, Outcome
from hwgen.prune.selector import MultiHeadSelector

LOG_STEPS = 50
"""Steps between two lines of the log and two checkpoints."""

TEST_IMAGES = 1000
"""Test images, the first ones, of the tests on the way."""

RISE_STEPS = 100
"""Steps in which learning rates rise; after that they fall as a cosine does."""

WARM_UP_RATE = 3.0
"""Learning rate of the selectors in the warm-up, relative to that of the training."""

GRADIENT_NORM = 1.0
"""Longer gradients are shortened to this."""


@dataclass(frozen=True)
class Training:
    """How to train.

    ``keep`` is the share of an image's tokens to stay behind each selector, on average.
    ``batch`` counts the images of a step of all processes together. In ``warm_up`` steps before
    the ``epochs`` the selectors alone learn to rank tokens. ``lr`` is the highest learning rate
    of the selectors, ``backbone_lr`` that of all other weights relative to it. ``mirror`` and
    ``shift`` change training images (see ``batches.changed``). ``precision`` is that of matrix
    products; selectors and weights stay float32.
    """

    keep: tuple[float, ...]
    epochs: float = 6.0
    batch: int = 128
    warm_up: int = 120
    lr: float = 1e-3
    backbone_lr: float = 0.15
    weight_decay: float = 0.01
    mirror: bool = False
    shift: int = 0
    seed: int = 0
    precision: Literal["no", "bf16"] = "no"
    test_steps: int = 250
    weights: LossWeights = field(default_factory=LossWeights)


class Student(nn.Module):
    """A network beside the unpruned one that it learns from."""

    def __init__(self, network: nn.Module, teacher: Graph) -> None:
        super().__init__()
        self.network = network
        self.teacher = GraphNetwork(teacher).requires_grad_(False)

    def forward(self, images: Tensor, ranking: tuple[float, ...] | None = None) -> Any:
        """The network's outcome and the unpruned network's logits (images, classes).

        With ``ranking``, the keep ratios of a warm-up, its loss alone. What both networks have in
        common, all before the first selector, is computed once.
        """
        network = self.network
        if not isinstance(network, GraphNetwork):
            with torch.no_grad():
                logits = self.teacher(images).logits
            return network(images), logits
        stream = network.selectors[0].op.input
        with torch.no_grad():
            stem = network.stem(images)
        if ranking is not None:
            return ranking_loss(network.selectors, self.teacher, stream, stem, ranking)
        with torch.no_grad():
            logits = self.teacher.resume(stream, stem).logits
        return network.resume(stream, stem), logits


def train(
    network: nn.Module,
    teacher: Graph,
    data: Data,
    settings: Training,
    *,
    checkpoint: Path,
    resume: bool = False,
    test: Data | None = None,
    log: Callable[[str], None] = lambda line: None,
    progress: Progress = silent,
    limit: int | None = None,
) -> None:
    """Trains ``network`` in place.

    Args:
        network: a GraphNetwork with selectors, whose part before the first one is then frozen; or
            another torch module that ``evaluate_network`` takes, which gets no warm-up.
        teacher: the unpruned model.
        data: images with labels.
        settings: how to train.
        checkpoint: file written every LOG_STEPS steps, by the first process.
        resume: go on from ``checkpoint``. The weights at the end are the same.
        test: images for tests on the way.
        log: gets lines of text, on the first process.
        progress: told the step.
        limit: leave after that many steps, with a checkpoint.

    Raises:
        DataError: no labels, fewer images than a batch, or no checkpoint to resume from.
        ModelError: the checkpoint is another model's.
        ConfigError: gradients have become infinite or NaN.
    """
    torch.manual_seed(settings.seed)
    accelerator = processes.accelerator(settings.precision)
    batches = Batches(
        data,
        settings.batch,
        settings.seed,
        mirror=settings.mirror,
        shift=settings.shift,
        share=accelerator.process_index,
        shares=accelerator.num_processes,
    )
    warm_up = 0
    if isinstance(network, GraphNetwork):
        network.freeze_stem()
        warm_up = settings.warm_up
    steps = warm_up + max(round(settings.epochs * batches.per_epoch), 1)
    optimiser = torch.optim.AdamW(_groups(network, settings), betas=(0.9, 0.98))
    student, optimiser = accelerator.prepare(Student(network, teacher), optimiser)
    identity = (fingerprint(teacher), _name(network))
    step, before = 0, 0.0
    if resume:
        found = load(checkpoint, *identity)
        try:
            network.load_state_dict(found.network)
            optimiser.load_state_dict(found.optimiser)
        except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise damaged(checkpoint, error) from None
        step, before = found.step, found.seconds
        log(f"resumed at step {step}")
    end = steps if limit is None else min(steps, step + limit)
    start = time.monotonic()
    means = _Means()
    while step < end:
        images, labels = batches.batch(step, accelerator.device)
        _set_rates(optimiser, network, step - warm_up, steps - warm_up)
        if step < warm_up:
            loss = student(images, settings.keep)
            parts = {"ranking": loss}
        else:
            outcome, logits = student(images)
            found_losses = losses(outcome, labels, logits, settings.keep, settings.weights)
            loss, parts = found_losses.total, _parts(found_losses, outcome, labels)
        optimiser.zero_grad()
        accelerator.backward(loss)
        norm = accelerator.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
        if not torch.isfinite(torch.as_tensor(norm)):
            raise ConfigError(
                f"Training diverged at step {step + 1}: its gradients are infinite or NaN. Choose "
                "smaller learning rates."
            )
        optimiser.step()
        step += 1
        means.add(parts)
        progress("training", step, steps)
        if not accelerator.is_main_process:
            continue
        seconds = before + time.monotonic() - start
        if step % LOG_STEPS == 0 or step == end:
            log(f"step {step}/{steps} {means.text()} {seconds:.0f} s")
            means = _Means()
            states = (network.state_dict(), optimiser.state_dict())
            save(checkpoint, Checkpoint(*identity, step, seconds, *states))
        if test is not None and step % settings.test_steps == 0 and step < steps:
            some = test.first(TEST_IMAGES)
            result = evaluate_network(network, some)
            counts = ", ".join(f"{count:.1f}" for count in result.tokens.mean(0))
            log(
                f"step {step}: test top-1 {100 * result.accuracy:.2f} % of {len(some)} images, "
                f"tokens kept {counts}"
            )
    accelerator.wait_for_everyone()


def _name(network: nn.Module) -> str:
    """What a checkpoint must agree on: the selectors, or the kind of another network."""
    if isinstance(network, GraphNetwork):
        return selectors_of(network.graph)
    return type(network).__name__


def _groups(network: nn.Module, settings: Training) -> list[dict[str, Any]]:
    """Parameters with their highest learning rates, ``peak``; those of selectors are apart."""
    modules = [m for m in network.modules() if isinstance(m, MultiHeadSelector)]
    selectors = [p for module in modules for p in module.parameters()]
    apart = {id(p) for p in selectors}
    rest = [p for p in network.parameters() if p.requires_grad and id(p) not in apart]
    common = {"lr": 0.0, "weight_decay": settings.weight_decay}
    groups = [
        {"params": selectors, "peak": settings.lr, "warm_up": WARM_UP_RATE, **common},
        {"params": rest, "peak": settings.lr * settings.backbone_lr, "warm_up": 0.0, **common},
    ]
    return [group for group in groups if group["params"]]


def _set_rates(optimiser: torch.optim.Optimizer, network: nn.Module, step: int, steps: int) -> None:
    """Learning rates, and the noise of decisions: full at first, none in the last quarter.

    ``step`` counts from the end of the warm-up.
    """
    at = max(step, 0) / steps
    factor = min(1.0, (step + 1) / RISE_STEPS) * (0.505 + 0.495 * math.cos(math.pi * at))
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * (group["warm_up"] if step < 0 else factor)
    for module in network.modules():
        if isinstance(module, MultiHeadSelector):
            module.noise = min(max((0.75 - at) / 0.5, 0.0), 1.0)


def _parts(found: Losses, outcome: Outcome, labels: Tensor) -> dict[str, Tensor]:
    """What the log shows of a step."""
    parts = {name: getattr(found, name) for name in ("task", "ratio", "distillation", "range")}
    parts["top-1"] = (outcome.logits.argmax(1) == labels).float().mean()
    for stage, share in enumerate(outcome.shares, 1):
        parts[f"keep{stage}"] = share.mean()
        parts[f"spread{stage}"] = share.std(correction=0)
    return parts


class _Means:
    """Means over the steps since the last line of the log."""

    def __init__(self) -> None:
        self._values: dict[str, list[Tensor]] = {}

    def add(self, parts: dict[str, Tensor]) -> None:
        for name, value in parts.items():
            self._values.setdefault(name, []).append(value.detach())

    def text(self) -> str:
        return " ".join(f"{n} {float(torch.stack(v).mean()):.4f}" for n, v in self._values.items())
