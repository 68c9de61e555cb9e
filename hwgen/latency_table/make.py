# SPDX-License-Identifier: Apache-2.0
"""The latency table of a model: the cycles of one network a keep ratio, measured or predicted."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hwgen.boards import Board, load_board
from hwgen.compile import compile_model
from hwgen.compile.groups import Batch
from hwgen.config import Config, load_config
from hwgen.errors import ConfigError
from hwgen.estimate.timing import timing_for
from hwgen.ir.graph import Graph
from hwgen.latency_table.measure import BlockCycles, Level, measure
from hwgen.latency_table.networks import at_share
from hwgen.passes import canonicalise
from hwgen.progress import Progress, silent
from hwgen.prune.latency import LatencyTable
from hwgen.source import Source

KEEP = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
"""Keep ratios of HeatViT's Table IV."""


def latency_table(
    model: str | Path,
    keep: Sequence[float] = KEEP,
    level: Level = "rtl",
    board: str | None = None,
    config: Config | str | Path | None = None,
    batch: int | None = None,
    progress: Progress | None = None,
) -> LatencyTable:
    """Cycles of each block of ``model`` at each keep ratio, and of a selector before it.

    Weights and images do not matter: blocks see the first tokens, as many as a ratio says.

    Args:
        model: an ONNX file or ``preset:NAME``, without selectors.
        keep: shares of the patches that a block sees; 1 is always among them.
        level: "rtl": of RTL simulation, kept in the cache folder. "model": predicted.
        batch: images of one run, 1 to 4, in place of the configuration's.

    Raises:
        ConfigError: a ratio is not possible, or there is none but 1.
        HwgenError: the message says what is wrong and what to do.
    """
    progress = progress or silent
    settings = config if isinstance(config, Config) else load_config(config)
    if batch is not None:
        settings = settings.with_batch(batch)
    target = load_board(settings.board if board is None else board)
    progress("reading the model", 0, 0)
    graph = Source.of(model).graph(settings.input)
    ratios = sorted({1.0, *keep}, reverse=True)
    if len(ratios) < 2:
        raise ConfigError("A latency table needs a keep ratio below 1; give some, as 1.0,0.9,0.8.")
    networks = {f"keep {ratio:g}": at_share(graph, ratio) for ratio in ratios}
    dense, *found = (
        _cycles(network, settings, target, level, _named(progress, name))
        for name, network in {"all tokens": graph, **networks}.items()
    )
    # The network without selectors has no package token.
    blocks = [dense.blocks, *(item.blocks for item in found[1:])]
    selectors = tuple(item.selector for item in found)
    return LatencyTable(
        model=graph.name,
        board=target.name,
        clock_mhz=settings.clock_mhz or target.clock_mhz,
        batch=settings.batch,
        keep_ratios=tuple(ratios),
        outside_cycles=dense.outside,
        block_cycles=tuple(zip(*blocks, strict=True)),
        selector_cycles=(selectors,) * len(dense.blocks),
    )


def _cycles(
    graph: Graph, settings: Config, board: Board, level: Level, progress: Progress
) -> BlockCycles:
    """Cycles of a network in which every image keeps the same number of tokens."""
    timing = timing_for(board, settings.clock_mhz)
    engine = settings.engine.resolve(board.engine)
    shape = (settings.batch, graph.input.height, graph.input.width, graph.input.channels)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    program = compile_model(
        canonicalise(graph),
        images[:1],
        settings.quantisation,
        engine,
        batch=Batch(settings.batch, timing.tile_rows(engine.lanes)),
        progress=lambda done, total: progress("quantising", done, total),
    )
    return measure(program, images, timing, level, progress)


def _named(progress: Progress, name: str) -> Progress:
    return lambda stage, done, total: progress(f"{name}: {stage}", done, total)
