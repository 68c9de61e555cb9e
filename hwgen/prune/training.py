# SPDX-License-Identifier: Apache-2.0
"""Trains a network with token selectors, on one device or, through accelerate, on many.

The order of the images depends on the seed and the epoch alone, and every other random number on
the seed, the step and the process: a resumed run needs no state of a generator.
"""

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn

from hwgen.data_files import Data
from hwgen.errors import DataError, ModelError
from hwgen.ir.graph import Attention, Graph
from hwgen.progress import Progress, silent
from hwgen.prune.losses import Losses, LossWeights, losses
from hwgen.prune.network import GraphNetwork, Outcome
from hwgen.prune.selector import MultiHeadSelector

CHECKPOINT_STEPS = 50

Log = Callable[[str], None]


@dataclass(frozen=True)
class Training:
    """How to train. ``keep`` is each stage's share of the image's tokens that stays on average."""

    keep: tuple[float, ...]
    epochs: float = 5.0
    batch: int = 128
    warm_up: int = 100
    """Steps in which the selectors alone learn to rank tokens by the class token's attention."""
    lr: float = 1e-3
    backbone_lr: float = 0.1
    """Learning rate of the network's own weights, relative to ``lr``."""
    weight_decay: float = 0.01
    mirror: bool = False
    shift: int = 0
    """Random shift of training images, pixels."""
    seed: int = 0
    weights: LossWeights = field(default_factory=LossWeights)


class Student(nn.Module):
    """A network beside the unpruned one that it learns from; the stem of both is run once."""

    def __init__(self, network: GraphNetwork, teacher: Graph) -> None:
        super().__init__()
        self.network = network
        self.teacher = GraphNetwork(teacher).requires_grad_(False)
        self.stream = network.selectors[0].op.input

    def forward(self, images: Tensor) -> tuple[Outcome, Tensor]:
        """The network's outcome and the unpruned network's logits (images, classes)."""
        with torch.no_grad():
            stem = self.network.stem(images)
            logits = self.teacher.resume(self.stream, stem).logits
        return self.network.resume(self.stream, stem), logits


@dataclass(frozen=True, eq=False)
class Evaluation:
    """``correct`` (images,) bool; ``tokens`` (images, stages), tokens of the image that stay."""

    correct: np.ndarray
    tokens: np.ndarray

    @property
    def accuracy(self) -> float:
        """Top-1, 0 to 1."""
        return float(self.correct.mean())


@torch.no_grad()
def evaluate_network(
    network: nn.Module, data: Data, batch: int = 100, progress: Progress = silent
) -> Evaluation:
    """Runs a network with hard decisions, in float32."""
    assert data.labels is not None
    network.eval()
    device = next(network.parameters()).device
    correct, tokens = [], []
    for start in range(0, len(data), batch):
        progress("testing", start, len(data))
        images = torch.as_tensor(data.images[start : start + batch], device=device)
        outcome = network(images)
        predicted = outcome.logits.argmax(1).cpu().numpy()
        correct.append(predicted == data.labels[start : start + batch])
        count = [
            s.mask[:, m.op.prefix : s.mask.shape[1] - m.op.packages].sum(1)
            for s, m in zip(outcome.selections, network.selectors, strict=True)
        ]
        if count:
            tokens.append(torch.stack(count, 1).cpu().numpy().astype(int))
    network.train()
    empty = np.zeros((len(data), 0), int)
    return Evaluation(np.concatenate(correct), np.concatenate(tokens) if tokens else empty)


def fingerprint(graph: Graph) -> str:
    """Tells models apart: a hash of the arrays of ``graph``."""
    digest = hashlib.sha256()
    for op in graph.ops:
        for value in vars(op).values():
            if isinstance(value, np.ndarray):
                digest.update(str(value.shape).encode())
                digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def train(
    graph: Graph,
    teacher: Graph,
    data: Data,
    settings: Training,
    checkpoint: Path,
    *,
    test: Data | None = None,
    resume: bool = False,
    log: Log = print,
    progress: Progress = silent,
    precision: str = "no",
    test_steps: int = 250,
    limit: int | None = None,
) -> GraphNetwork:
    """Trains ``graph``, which has selectors, to do what ``teacher``, which has none, does.

    ``limit`` ends the run after that many steps, with a checkpoint.
    """
    if data.labels is None:
        raise DataError("The training data has no labels; pruning needs them.")
    torch.manual_seed(settings.seed)
    accelerator = Accelerator(mixed_precision=precision, cpu=not torch.cuda.is_available())
    network = GraphNetwork(graph)
    network.freeze_stem()
    student = Student(network, teacher)
    optimiser = torch.optim.AdamW(_groups(network, settings), betas=(0.9, 0.98))
    wrapped, optimiser = accelerator.prepare(student, optimiser)
    run = _Run(data, settings, accelerator)
    step, spent = 0, 0.0
    key = fingerprint(teacher)
    if resume:
        step, spent = _restore(checkpoint, network, optimiser, key)
        log(f"resumed at step {step}")
    end = run.steps if limit is None else min(run.steps, step + limit)
    start, seen = time.monotonic(), _Means()
    while step < end:
        images, labels = run.batch(step)
        _schedule(network, optimiser, settings, step, run.steps)
        if step < settings.warm_up:
            with accelerator.autocast():
                loss = _ranking_loss(student, images, settings.keep)
            parts = {"ranking": loss}
        else:
            with accelerator.autocast():
                outcome, logits = wrapped(images)
            found = losses(outcome, labels, logits, settings.keep, settings.weights)
            loss, parts = found.total, _parts(found, outcome, labels)
        optimiser.zero_grad()
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        seen.add(parts)
        progress("training", step, run.steps)
        now = spent + time.monotonic() - start
        if accelerator.is_main_process:
            if step % CHECKPOINT_STEPS == 0 or step == end:
                log(f"step {step}/{run.steps} {seen.text()} {now:.0f} s")
                seen = _Means()
                _save(checkpoint, network, optimiser, step, now, key, settings)
            if test is not None and (step % test_steps == 0 or step == run.steps):
                result = evaluate_network(network, test)
                means = ", ".join(f"{m:.1f}" for m in result.tokens.mean(0))
                log(
                    f"step {step}: test top-1 {100 * result.accuracy:.2f} % "
                    f"({len(test)} images), tokens {means}"
                )
    return network


class _Run:
    """Batches of this process."""

    def __init__(self, data: Data, settings: Training, accelerator: Accelerator) -> None:
        self.data, self.settings, self.accelerator = data, settings, accelerator
        self.per_epoch = max(len(data) // settings.batch, 1)
        self.steps = settings.warm_up + max(round(settings.epochs * self.per_epoch), 1)
        self._epoch, self._order = -1, np.empty(0, int)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Images uint8 and labels of ``step``; seeds the random numbers of the step."""
        settings, accelerator = self.settings, self.accelerator
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng((settings.seed, epoch)).permutation(len(self.data))
        index = self._order[place * settings.batch : (place + 1) * settings.batch]
        index = index[accelerator.process_index :: accelerator.num_processes]
        seed = np.random.SeedSequence((settings.seed, step, accelerator.process_index))
        torch.manual_seed(int(seed.generate_state(1)[0]))
        images = torch.as_tensor(self.data.images[index], device=accelerator.device)
        assert self.data.labels is not None
        labels = torch.as_tensor(self.data.labels[index], device=accelerator.device)
        return augmented(images, settings.mirror, settings.shift), labels


def augmented(images: Tensor, mirror: bool, shift: int) -> Tensor:
    """Half of the uint8 ``images`` mirrored, each moved by up to ``shift`` pixels.

    The pixels at the border are repeated where an image was moved away from it.
    """
    count, height, width, _ = images.shape
    if mirror:
        flip = torch.rand(count, device=images.device) < 0.5
        images = torch.where(flip[:, None, None, None], images.flip(2), images)
    if shift:
        moves = torch.randint(-shift, shift + 1, (2, count, 1), device=images.device)
        rows = (torch.arange(height, device=images.device) + moves[0]).clamp(0, height - 1)
        cols = (torch.arange(width, device=images.device) + moves[1]).clamp(0, width - 1)
        batch = torch.arange(count, device=images.device)[:, None, None]
        images = images[batch, rows[:, :, None], cols[:, None]]
    return images


def _groups(network: GraphNetwork, settings: Training) -> list[dict[str, object]]:
    selectors = {id(p) for m in network.selectors for p in m.parameters()}
    trained = [p for p in network.parameters() if p.requires_grad]
    common = {"lr": 0.0, "weight_decay": settings.weight_decay}
    return [
        {"params": [p for p in trained if id(p) in selectors], "peak": settings.lr, **common},
        {
            "params": [p for p in trained if id(p) not in selectors],
            "peak": settings.lr * settings.backbone_lr,
            **common,
        },
    ]


def _schedule(
    network: GraphNetwork,
    optimiser: torch.optim.Optimizer,
    settings: Training,
    step: int,
    steps: int,
) -> None:
    """Learning rate (rise, then cosine) and the noise of decisions (gone in the last quarter)."""
    warm = step < settings.warm_up
    at = (step - settings.warm_up) / max(steps - settings.warm_up, 1)
    factor = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * max(at, 0)))
    rise = min(1.0, (step - settings.warm_up + 1) / 100)
    selectors, backbone = optimiser.param_groups
    selectors["lr"] = selectors["peak"] * (3.0 if warm else factor * rise)
    backbone["lr"] = 0.0 if warm else backbone["peak"] * factor * rise
    for selector in network.selectors:
        selector.noise = 0.0 if warm else min(max((0.75 - at) / 0.5, 0.0), 1.0)


def _ranking_loss(student: Student, images: Tensor, keep: Sequence[float]) -> Tensor:
    """Cross entropy of keep scores with "the class token attends to this more than to others".

    What counts is the mean attention in the blocks behind the selector in the unpruned network;
    over the batch, each stage's share of the tokens is kept, so images already differ.
    """
    network = student.network
    assert isinstance(network, GraphNetwork)
    streams: dict[str, Tensor] = {}
    weights: list[tuple[int, Tensor]] = []
    names = [m.op.input for m in network.selectors]

    def observe(op: object, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(op, Attention):
            q, k = (t.unflatten(2, (op.heads, -1)).transpose(1, 2) for t in inputs[:2])
            row = torch.softmax(((q[:, :, :1] * op.scale) @ k.transpose(2, 3)).float(), 3)
            weights.append((len(streams), row.mean((1, 2))))
        if getattr(op, "output", None) in originals:
            streams[op.output] = output  # type: ignore[attr-defined]

    originals = {_original(name) for name in names}
    with torch.no_grad():
        stem = student.network.stem(images)
        streams[names[0]] = stem
        student.teacher.resume(student.stream, stem, observe)
    total = stem.new_zeros(())
    for stage, (selector, share) in enumerate(zip(network.selectors, keep, strict=True)):
        op = selector.op
        x = streams[_original(op.input)]
        with torch.autocast(x.device.type, enabled=False):
            logits = selector.logits(x)
            score = selector.score(logits)[:, op.prefix :]
        later = torch.stack([w for seen, w in weights if seen > stage]).mean(0)[:, op.prefix :]
        bound = later.flatten().kthvalue(round((1 - share) * later.numel()) + 1).values
        total = total + F.binary_cross_entropy(score, (later >= bound).float())
    return total


def _original(stream: str) -> str:
    """The value in the unpruned graph that a selector's input stands for."""
    return stream


def _parts(found: Losses, outcome: Outcome, labels: Tensor) -> dict[str, Tensor]:
    parts = {name: getattr(found, name) for name in ("task", "ratio", "distillation", "range")}
    parts["top1"] = (outcome.logits.argmax(1) == labels).float().mean()
    for stage, share in enumerate(outcome.keep):
        parts[f"keep{stage + 1}"] = share.mean()
        parts[f"spread{stage + 1}"] = share.std()
    return parts


class _Means:
    """Means over steps, for the log."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add(self, parts: dict[str, Tensor]) -> None:
        for name, value in parts.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value.detach())
            self._counts[name] = self._counts.get(name, 0) + 1

    def text(self) -> str:
        return " ".join(f"{n} {v / self._counts[n]:.4f}" for n, v in self._sums.items())


def _save(
    path: Path,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    step: int,
    spent: float,
    key: str,
    settings: Training,
) -> None:
    part = path.with_name(path.name + ".part")
    torch.save(
        {
            "model": key,
            "step": step,
            "spent": spent,
            "settings": asdict(settings),
            "network": network.state_dict(),
            "optimiser": optimiser.state_dict(),
        },
        part,
    )
    part.replace(path)


def _restore(
    path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, key: str
) -> tuple[int, float]:
    state = torch.load(path, weights_only=True, map_location="cpu")
    if state["model"] != key:
        raise ModelError(f"{path} is a checkpoint of another model.")
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"]), float(state["spent"])
