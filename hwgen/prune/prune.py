# SPDX-License-Identifier: Apache-2.0
"""Pruning as a whole: from a trained model and data to a model with trained token selectors."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from accelerate.utils import broadcast_object_list

from hwgen.compile.rows import single_rows
from hwgen.data_files import Data
from hwgen.errors import DataError
from hwgen.frontend.write import write_onnx
from hwgen.ir.blocks import blocks
from hwgen.ir.count import macs
from hwgen.ir.evaluate import logits
from hwgen.ir.graph import Graph, Op, SelectTokens
from hwgen.passes import canonicalise
from hwgen.progress import Progress, silent
from hwgen.prune.batches import check_batch
from hwgen.prune.evaluation import Evaluation, evaluate_network
from hwgen.prune.insert import insert_selectors
from hwgen.prune.latency import LatencyTable
from hwgen.prune.network import GraphNetwork
from hwgen.prune.plan import (
    Request,
    check_same_stages,
    fixed_stages,
    load_stages,
    save_stages,
)
from hwgen.prune.processes import processes
from hwgen.prune.qat_training import IntegerTraining, train_in_integers
from hwgen.prune.schedule import Stage, milliseconds, search
from hwgen.prune.training import Training, train

HELD_OUT = 2000
"""Most training images that the search for a schedule tests on and does not train with."""

Log = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Pruned:
    """What came of it: the model before and after, on the test images.

    ``dense_macs`` and ``macs`` (images,) are multiplications of an image in the accelerator;
    ``dense_ms`` and ``ms`` are latencies by the table.
    """

    stages: tuple[Stage, ...]
    dense: Evaluation
    pruned: Evaluation
    dense_macs: int
    macs: np.ndarray
    dense_ms: float
    ms: float


def prune(
    graph: Graph,
    data: Data,
    test: Data,
    request: Request,
    training: Training,
    table: LatencyTable,
    output: Path,
    *,
    integers: IntegerTraining | None = None,
    resume: bool = False,
    log: Log = lambda line: None,
    progress: Progress = silent,
) -> Pruned:
    """Puts selectors into ``graph``, trains, writes the ONNX file ``output`` and tests it.

    With ``integers`` it goes on training in the accelerator's arithmetic, and what is tested is
    int8. Beside ``output`` come ``NAME.checkpoint.pt``, ``NAME.int8.checkpoint.pt`` and
    ``NAME.schedule.json``, from which ``resume`` goes on. ``training.keep`` is set from the
    schedule.

    Raises:
        ConfigError: the request is impossible; the message tells what is possible. Or the run to
            resume has other keep ratios.
        DataError: labels are missing, or beyond the model's classes; or there are fewer training
            images than a batch has.
        ModelError: the graph cannot be pruned, or a checkpoint is another model's.
    """
    stages = fixed_stages(request, graph.name, len(blocks(graph)), table)
    for name, images in (("training", data), ("test", test)):
        _check_data(graph, images, name)
    check_batch(data, training.batch)
    schedule = output.with_suffix(".schedule.json")
    checkpoint = output.with_suffix(".checkpoint.pt")
    state = processes()
    if resume and checkpoint.is_file():
        begun = load_stages(schedule)
        check_same_stages(stages or begun, begun, schedule)
        stages = begun
    dense = evaluate_network(GraphNetwork(graph).to(state.device), test, progress=progress)
    log(f"unpruned: test top-1 {100 * dense.accuracy:.2f} % of {len(test)} images")
    if stages is None:
        stages = _search(graph, data, request, training, table, output, log, progress)
    if state.is_main_process:
        save_stages(stages, schedule)
    for stage in stages:
        log(f"selector in front of block {stage.block} is to keep {stage.keep:.3f}")
    log(f"predicted: {milliseconds(table, stages):.4g} ms, {milliseconds(table, []):.4g} unpruned")
    training = replace(training, keep=tuple(stage.keep for stage in stages))
    network = GraphNetwork(_with_stages(graph, stages, request, training.seed))
    common: dict[str, Any] = {"test": test, "log": log, "progress": progress}
    train(network, graph, data, training, checkpoint=checkpoint, resume=resume, **common)
    trained = network.to_graph()
    if integers is None:
        pruned = evaluate_network(network, test, progress=progress)
        if state.is_main_process:
            write_onnx(trained, output)
    else:
        log(f"training in integers, {integers.epochs:g} epochs")
        checkpoint = output.with_suffix(".int8.checkpoint.pt")
        resume = resume and checkpoint.is_file()
        integer = train_in_integers(
            trained, graph, data, training, integers, checkpoint=checkpoint, resume=resume, **common
        )
        pruned = evaluate_network(integer, test, progress=progress)
        if state.is_main_process:
            integer.write_onnx(output)
    counts = macs_of_images(trained, pruned.tokens)
    before = int(macs_of_images(graph, np.zeros((1, 0), int))[0])
    log(
        f"pruned: test top-1 {100 * pruned.accuracy:.2f} % of {len(test)} images, tokens kept "
        f"{', '.join(f'{count:.1f}' for count in pruned.tokens.mean(0))}, "
        f"MACs {100 * (counts.mean() / before - 1):+.1f} %"
    )
    reached = _reached(stages, pruned, network.tokens)
    return Pruned(
        stages,
        dense,
        pruned,
        before,
        counts,
        milliseconds(table, []),
        milliseconds(table, reached),
    )


def macs_of_images(graph: Graph, tokens: np.ndarray) -> np.ndarray:
    """Multiplications (images,) in the accelerator of images that keep ``tokens`` (images,
    selectors)."""
    canonical = canonicalise(graph)
    single = single_rows(canonical)
    selections = [op for op in canonical.ops if isinstance(op, SelectTokens)]
    # Class tokens and package tokens.
    more = [op.prefix + 1 + (op.packages if op.package == "kept" else 0) for op in selections]

    @cache
    def count(rows: tuple[int, ...]) -> int:
        return macs(canonical, single, rows)

    return np.array([count(tuple(map(int, row))) for row in tokens + np.array(more, int)])


def _check_data(graph: Graph, data: Data, name: str) -> None:
    image = graph.input
    expected = (image.height, image.width, image.channels)
    if data.images.shape[1:] != expected:
        raise DataError(
            f"The {name} images have shape {data.images.shape[1:]}; '{graph.name}' takes "
            f"{expected}, that is height, width, channels."
        )
    if data.labels is None:
        raise DataError(
            f"The {name} data has no array 'labels'; pruning needs the class of each image."
        )
    blank = np.zeros((1, *expected), np.uint8)
    classes = logits(graph, blank).shape[1]
    if data.labels.max() >= classes:
        raise DataError(
            f"The {name} data holds the label {data.labels.max()}; '{graph.name}' has "
            f"{classes} classes, counted from 0. Give data of the model's own task."
        )


def _with_stages(graph: Graph, stages: tuple[Stage, ...], request: Request, seed: int) -> Graph:
    return insert_selectors(
        graph,
        [stage.block for stage in stages],
        package=request.package,
        features=request.features,
        threshold=request.threshold,
        seed=seed,
    )


def _search(
    graph: Graph,
    data: Data,
    request: Request,
    training: Training,
    table: LatencyTable,
    output: Path,
    log: Log,
    progress: Progress,
) -> tuple[Stage, ...]:
    """Algorithm 1, its candidates trained for a few steps and tested on held-out images.

    Half of the steps are a warm-up. Each candidate goes on with the weights of the one before.
    """
    assert request.target_ms is not None, "fixed_stages asks for one"
    assert data.labels is not None, "_check_data asks for them"
    held_out = min(HELD_OUT, len(data) // 10)
    if held_out == 0:
        raise DataError(
            f"There are {len(data)} training images, too few to search for a schedule; give "
            "--selectors."
        )
    used = len(data) - held_out
    rest = Data(data.images[used:], data.labels[used:])
    warm_up = request.search_steps // 2
    epochs = (request.search_steps - warm_up) / max(used // training.batch, 1)
    candidate = output.with_suffix(".candidate.pt")
    state = processes()
    best: Graph = graph

    def tune(stages: tuple[Stage, ...]) -> float:
        nonlocal best
        network = GraphNetwork(
            _with_weights_of(best, _with_stages(graph, stages, request, training.seed))
        )
        settings = replace(
            training,
            keep=tuple(stage.keep for stage in stages),
            epochs=epochs,
            warm_up=warm_up,
        )
        train(network, graph, data.first(used), settings, checkpoint=candidate, progress=progress)
        best = network.to_graph()
        # All processes must decide alike.
        return float(broadcast_object_list([evaluate_network(network, rest).accuracy])[0])

    dense = evaluate_network(GraphNetwork(graph).to(state.device), rest).accuracy
    log(f"unpruned: top-1 {100 * dense:.2f} % of {held_out} held-out training images")
    stages = search(
        table, request.target_ms, tune, dense, allowed_drop=request.allowed_drop, log=log
    )
    if state.is_main_process:
        candidate.unlink(missing_ok=True)
    return stages


def _with_weights_of(source: Graph, graph: Graph) -> Graph:
    """``graph`` with the arrays of the operations of the same name in ``source``."""
    trained = {op.name: op for op in source.ops}
    ops = tuple(
        replace(op, **_arrays(trained[op.name])) if op.name in trained else op for op in graph.ops
    )
    return replace(graph, ops=ops)


def _arrays(op: Op) -> dict[str, Any]:
    return {name: value for name, value in vars(op).items() if isinstance(value, np.ndarray)}


def _reached(stages: tuple[Stage, ...], found: Evaluation, tokens: int) -> tuple[Stage, ...]:
    """The stages with the mean shares that were found in the place of those aimed at."""
    shares = found.tokens.mean(0) / tokens
    return tuple(Stage(s.block, float(share)) for s, share in zip(stages, shares, strict=True))
