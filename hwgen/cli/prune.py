# SPDX-License-Identifier: Apache-2.0
"""``hwgen prune``."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich import box
from rich.table import Table

from hwgen.cli.console import out, progress, show_paths
from hwgen.config import load_config
from hwgen.data_files import load_data
from hwgen.errors import ConfigError, OutputError, ToolError
from hwgen.latency_table.make import latency_table
from hwgen.progress import Progress
from hwgen.prune.latency import LatencyTable
from hwgen.prune.plan import Request
from hwgen.report.figures import figure
from hwgen.source import Source

if TYPE_CHECKING:
    from hwgen.prune.prune import Pruned

PREDICTED_KEEP = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05)
"""Keep ratios of the table that is predicted where none is given."""


@dataclass(frozen=True)
class Files:
    """What is read and written."""

    model: str
    data: Path
    test: Path
    output: Path
    table: Path | None
    board: str | None
    config: Path | None


@dataclass(frozen=True)
class Options:
    """How to train; the fields are those of ``hwgen.prune.training.Training``."""

    epochs: float
    batch: int
    warm_up: int
    lr: float
    backbone_lr: float
    mirror: bool
    shift: int
    seed: int
    precision: Literal["no", "bf16"]


@dataclass(frozen=True)
class Integers:
    """How long to go on training in integers, and at which highest learning rate."""

    epochs: float
    lr: float


def run(
    files: Files,
    request: Request,
    options: Options,
    integers: Integers,
    threads: int,
    resume: bool,
) -> None:
    """Prunes, and shows what was reached."""
    _check_output(files, resume)
    _check_torch()
    import torch

    from hwgen.prune.processes import processes
    from hwgen.prune.prune import prune
    from hwgen.prune.qat_training import IntegerTraining
    from hwgen.prune.training import Training

    if threads:
        torch.set_num_threads(threads)
    data, test = load_data(files.data), load_data(files.test)
    config = load_config(files.config)
    graph = Source.of(files.model).graph(config.input)
    arithmetic = (config.quantisation, config.engine.resolve())
    later = IntegerTraining(integers.epochs, integers.lr, *arithmetic) if integers.epochs else None
    with progress() as update:
        table = _table(files, update)
        main = processes().is_main_process
        result = prune(
            graph,
            data,
            test,
            request,
            Training(keep=(), **vars(options)),
            table,
            files.output,
            integers=later,
            resume=resume,
            log=_log(files.output.with_suffix(".log"), resume, main),
            progress=update,
        )
    if main:
        out().print(show(result))
        show_paths(model=files.output, log=files.output.with_suffix(".log"))


def numbers(text: str | None, option: str) -> tuple[float, ...]:
    """The numbers of a list with commas; raises ConfigError where it is none."""
    try:
        found = tuple(float(word) for word in text.split(",")) if text else ()
        if not all(map(math.isfinite, found)):
            raise ValueError
        return found
    except ValueError:
        raise ConfigError(
            f"{option} {text} is no list of numbers; put commas between them, as 3,5."
        ) from None


def blocks(text: str | None) -> tuple[int, ...]:
    """The whole numbers of ``--selectors``."""
    found = numbers(text, "--selectors")
    if any(number != int(number) for number in found):
        raise ConfigError(f"--selectors {text} must name blocks by whole numbers, as 3,5.")
    return tuple(map(int, found))


def show(result: "Pruned") -> Table:
    """Accuracy, work and predicted latency before and after, and the tokens of each stage."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("", "unpruned", "pruned", "change"):
        shown.add_column(name, justify="right" if name else "left", no_wrap=True)
    before, after = 100 * result.dense.accuracy, 100 * result.pruned.accuracy
    shown.add_row("top-1", f"{before:.2f} %", f"{after:.2f} %", f"{after - before:+.2f} points")
    macs = float(result.macs.mean())
    shown.add_row(
        "MACs an image",
        f"{result.dense_macs / 1e6:,.1f} M",
        f"{macs / 1e6:,.1f} M",
        f"{100 * (macs / result.dense_macs - 1):+.1f} %",
    )
    shown.add_row(
        "predicted latency",
        f"{figure(result.dense_ms)} ms",
        f"{figure(result.ms)} ms",
        f"{100 * (result.ms / result.dense_ms - 1):+.1f} %",
    )
    shown.add_section()
    for stage, counts in zip(result.stages, result.pruned.tokens.T, strict=True):
        shown.add_row(
            f"tokens from block {stage.block} on",
            "",
            f"{counts.mean():.1f}",
            f"{counts.min()} to {counts.max()}",
        )
    return shown


def _check_output(files: Files, resume: bool) -> None:
    output = files.output
    reason = None
    if output.is_dir():
        reason = "it is a folder"
    elif not output.parent.is_dir():
        reason = f"there is no folder {output.parent}"
    elif output.suffix != ".onnx":
        reason = "its name does not end in .onnx"
    if reason is not None:
        raise OutputError(
            f"{output} cannot be written: {reason}. Name an .onnx file in a folder that exists."
        )
    if output.resolve() == Path(files.model).resolve():
        raise OutputError(f"{output} is the model to prune; name another output.")
    checkpoint = output.with_suffix(".checkpoint.pt")
    if checkpoint.exists() and not resume:
        raise OutputError(
            f"{checkpoint} holds a run already. Add --resume to go on with it, name another "
            "output, or delete it."
        )
    if output.exists() and not resume:
        raise OutputError(f"{output} exists already. Name another output, or delete it.")


def _check_torch() -> None:
    try:
        import accelerate  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise ToolError(
            f"Pruning trains the model and needs torch and accelerate ({error}). Install them with "
            "pip install 'hwgen[train]'."
        ) from None


def _table(files: Files, update: Progress) -> LatencyTable:
    """The table that was given; without one, predicted cycles."""
    if files.table is not None:
        return LatencyTable.load(files.table)
    return latency_table(
        files.model, PREDICTED_KEEP, "model", files.board, files.config, progress=update
    )


def _log(path: Path, resume: bool, main: bool) -> Callable[[str], None]:
    """Writes lines to ``path``, on the first process alone."""
    if main and not resume:
        path.unlink(missing_ok=True)

    def write(line: str) -> None:
        if main:
            with path.open("a") as file:
                file.write(f"{line}\n")

    return write
