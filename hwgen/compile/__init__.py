# SPDX-License-Identifier: Apache-2.0
"""The compiler: a canonical float graph and calibration images become a Program."""

from collections.abc import Callable

import numpy as np

from hwgen.compile.lower import Lowering, check_buffers
from hwgen.compile.placement import place
from hwgen.compile.rows import single_rows
from hwgen.config import Quantisation
from hwgen.errors import ModelError
from hwgen.ir.graph import Attention, FusedLinear, Graph, PatchEmbedding, TakeToken, Tokens
from hwgen.program.engine import EngineConfig
from hwgen.program.instructions import End, Instruction
from hwgen.program.program import InputLayout, OutputLayout, Program
from hwgen.quant.calibrate import calibrate
from hwgen.quant.scales import choose_scales

Progress = Callable[[int, int], None]


def compile_model(
    graph: Graph,
    calibration: np.ndarray,
    settings: Quantisation,
    engine: EngineConfig,
    *,
    class_token_only: bool = False,
    progress: Progress | None = None,
) -> Program:
    """Quantises ``graph`` on ``calibration`` and lowers it to a Program for ``engine``.

    Args:
        graph: canonical, from ``hwgen.passes.canonicalise``.
        calibration: uint8 images (N, H, W, C).
        class_token_only: leave out rows of the last block that nothing reads. The result is the
            same, bit for bit.
        progress: called with calibration images done and their number.

    Raises:
        ModelError: the graph has another form than patches, tokens, blocks and a head.
        FitError: the model does not fit the engine's buffers.
        DataError: no calibration images, or of another shape.
    """
    patch, tokens = _stem(graph)
    scales = choose_scales(graph, calibrate(graph, calibration, progress), settings)
    layout = InputLayout(graph.input.height, graph.input.width, graph.input.channels, patch.patch)
    rows = _row_counts(graph, layout.rows, len(tokens.position))
    single = single_rows(graph) if class_token_only else {}
    places = place(graph, rows, single, engine)
    check_buffers(graph, places, engine)
    lowering = Lowering(graph, scales, places, len(tokens.position), settings, engine)
    lines = [*lowering.start(), *lowering.embedding(patch, tokens)]
    for op in graph.ops:
        match op:
            case FusedLinear():
                lines += lowering.linear(op)
            case Attention():
                lines += lowering.attention(op)
    lines.append(("end", End()))
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
        input=layout,
        output=OutputLayout(head.rows, len(head.columns), scales.values[graph.output]),
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


def _row_counts(graph: Graph, patches: int, tokens: int) -> dict[str, int]:
    """Rows of every value."""
    rows = {graph.input.name: patches}
    for op in graph.ops:
        match op:
            case PatchEmbedding():
                rows[op.output] = patches
            case Tokens():
                rows[op.output] = tokens
            case TakeToken():
                rows[op.output] = 1
            case Attention():
                rows[op.output] = rows[op.query]
            case FusedLinear():
                rows[op.output] = rows[op.input]
    return rows
