# SPDX-License-Identifier: Apache-2.0
"""The compiler: a canonical float graph and calibration images become a Program."""

from collections.abc import Callable

import numpy as np

from hwgen.compile.groups import SINGLE, Batch, order
from hwgen.compile.layout import choose_layout
from hwgen.compile.lower import Lowering, check_buffers
from hwgen.compile.rows import expected_rows, row_counts
from hwgen.config import Quantisation
from hwgen.errors import ModelError
from hwgen.ir.evaluate import selects_tokens
from hwgen.ir.graph import FusedLinear, Graph, PatchEmbedding, Tokens
from hwgen.program.engine import EngineConfig
from hwgen.program.instructions import End, Instruction
from hwgen.program.program import InputLayout, OutputLayout, Program
from hwgen.quant.calibrate import calibrate
from hwgen.quant.scales import Scales, choose_scales

Progress = Callable[[int, int], None]


def compile_model(
    graph: Graph,
    calibration: np.ndarray,
    settings: Quantisation,
    engine: EngineConfig,
    *,
    class_token_only: bool = False,
    batch: Batch = SINGLE,
    progress: Progress | None = None,
) -> Program:
    """Quantises ``graph`` on ``calibration`` and lowers it to a Program for ``engine``.

    Args:
        graph: canonical, from ``hwgen.passes.canonicalise``.
        calibration: uint8 images (N, H, W, C).
        class_token_only: leave out rows of the last block that nothing reads, where that saves
            time. The result is the same, bit for bit.
        batch: images of one run. The results are the same, bit for bit, for any number.
        progress: called with calibration images done and their number.

    Raises:
        ModelError: the graph has another form than patches, tokens, blocks and a head.
        FitError: the model does not fit the engine's buffers.
        DataError: no calibration images, or of another shape.
    """
    _stem(graph)
    scales = choose_scales(graph, calibrate(graph, calibration, progress), settings)
    return compile_scaled(
        graph,
        scales,
        settings,
        engine,
        class_token_only=class_token_only,
        batch=batch,
        typical=calibration,
    )


def compile_scaled(
    graph: Graph,
    scales: Scales,
    settings: Quantisation,
    engine: EngineConfig,
    *,
    class_token_only: bool = False,
    batch: Batch = SINGLE,
    typical: np.ndarray | None = None,
) -> Program:
    """``compile_model`` with the scales of activations given: those of calibration, or those that
    quantisation-aware training kept.

    Args:
        typical: uint8 images (N, H, W, C) whose numbers of selected tokens decide how many images
            of a batch are merged; where None, the largest numbers do.

    Raises:
        ModelError, FitError: as ``compile_model``.
    """
    patch, tokens = _stem(graph)
    image = graph.input
    pixels = InputLayout(image.height, image.width, image.channels, patch.patch, batch.images)
    count = len(tokens.position)
    rows = row_counts(graph, pixels.rows, count)
    expected = None
    if batch.images > 1 and selects_tokens(graph) and typical is not None:
        expected = expected_rows(graph, rows, typical)
    layout = choose_layout(graph, rows, class_token_only, batch, engine, expected)
    places = layout.places
    check_buffers(graph, places, engine)
    lowering = Lowering(graph, scales, places, count, batch.images, settings, engine)
    lines = []
    for index, part in order(graph, layout.arrangement, batch.images):
        lines += lowering.lower(graph.ops[index], part)
    lines = [*lowering.start(), *lines, ("end", End())]
    labels: tuple[str, ...]
    instructions: tuple[Instruction, ...]
    labels, instructions = zip(*lines, strict=True)
    head = places[graph.output]
    return Program(
        name=graph.name,
        engine=engine,
        instructions=instructions,
        labels=labels,
        weights=lowering.stream.beats(),
        input=pixels,
        output=OutputLayout(head.stride, len(head.columns), scales.values[graph.output]),
        classes=graph.classes,
    )


def _stem(graph: Graph) -> tuple[PatchEmbedding, Tokens]:
    """The patch embedding and the tokens that follow it."""
    patches = [op for op in graph.ops if isinstance(op, PatchEmbedding)]
    tokens = [op for op in graph.ops if isinstance(op, Tokens)]
    if len(patches) != 1 or len(tokens) != 1 or tokens[0].input != patches[0].output:
        raise ModelError(
            f"{graph.name} has {len(patches)} patch embeddings and {len(tokens)} token operations; "
            "hwgen takes models that start with one patch embedding followed by its class token "
            "and position embedding."
        )
    if not isinstance(graph.producer(graph.output), FusedLinear):
        raise ModelError(
            f"{graph.name} ends in value {graph.output!r}, which no linear layer makes; hwgen "
            "takes models whose output is a linear head."
        )
    return patches[0], tokens[0]
