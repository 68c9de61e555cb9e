# SPDX-License-Identifier: Apache-2.0
"""A variant of a Program that also gives the scores of its token selectors.

Before each TOKEN_SELECT a product with the unit matrix sends the rows of scores to the output
region, behind the logits. Everything else stays where it is, weights too.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from hwgen.driver.kept_patches import Trace, TracedSelection
from hwgen.errors import FitError, ProgramError
from hwgen.golden.matmul import LayerParameters, pack_parameters
from hwgen.golden.selections import operation
from hwgen.program.fields import Buffer
from hwgen.program.instructions import Instruction, Matmul, TokenSelect
from hwgen.program.program import OutputLayout, Program
from hwgen.program.tokens import resolved

ADDRESSES = 1 << 16
"""Vectors of the output region that an instruction can name."""


def with_scores(program: Program) -> tuple[Program, Trace]:
    """The variant, and where its scores are.

    Raises:
        ProgramError: the program has no token selector.
        FitError: there are more scores than instructions can address.
    """
    selections = dict(_selections(program))
    if not selections:
        raise ProgramError(
            f"{program.name} has no token selector, so there is nothing to trace. Give a model "
            "that 'hwgen prune' made."
        )
    last = list(selections.values())[-1]
    vectors = last.first + last.rows
    if vectors > ADDRESSES:
        raise FitError(
            f"The scores of {program.name} take {vectors:,} vectors of output, and instructions "
            f"address {ADDRESSES:,}. Build the model with a smaller batch."
        )
    lines: list[tuple[str, Instruction]] = []
    for index, line in enumerate(zip(program.labels, program.instructions, strict=True)):
        if index in selections:
            lines.append(_sending(program, index, selections[index]))
        lines.append(line)
    lanes = program.engine.lanes
    variant = replace(
        program,
        name=f"{program.name} with scores",
        instructions=tuple(instruction for _, instruction in lines),
        labels=tuple(label for label, _ in lines),
        weights=np.concatenate([program.weights, _unit_matrix(lanes)]),
        output=OutputLayout(vectors, lanes, 1.0),
    )
    trace = Trace(
        program.input.rows, program.input.batch, program.output, tuple(selections.values())
    )
    return variant, trace


def _selections(program: Program) -> Iterator[tuple[int, TracedSelection]]:
    """Each selection that decides something, by the index of its instruction, with a place for its
    scores.
    """
    images: Counter[str] = Counter()
    vectors = program.output.vectors(program.engine.lanes)
    for index, op in enumerate(resolved(program)):
        if not isinstance(op, TokenSelect) or not op.heads:
            continue
        name = operation(program.labels[index])
        yield (
            index,
            TracedSelection(
                selector=name,
                image=images[name],
                first=vectors,
                rows=op.rows,
                heads=op.heads,
                threshold=op.threshold,
                prefix=op.prefix,
                packages=op.packages,
                limit=op.limit,
                package=bool(op.package),
                merge=bool(op.merge),
            ),
        )
        images[name] += 1
        vectors += op.rows


def _sending(program: Program, index: int, selection: TracedSelection) -> tuple[str, Instruction]:
    """The product that sends the scores of a selection, all that it reads, with a label."""
    op, label = program.instructions[index], program.labels[index]
    assert isinstance(op, TokenSelect)
    name = operation(label)
    return f"{name}.trace{label.removeprefix(name)}", Matmul(
        rows=op.rows,
        rows_register=op.rows_register,
        source_buffer=Buffer.WORK,
        source_address=op.score_address,
        source_stride=0,
        reduction_slices=1,
        destination_buffer=Buffer.OUTPUT,
        destination_address=selection.first,
        destination_stride=0,
        output_slices=1,
        offset=len(program.weights),
    )


def _unit_matrix(lanes: int) -> np.ndarray:
    """The weight stream of a layer that changes nothing, uint8 (beats, lanes)."""
    each = np.ones(lanes, np.int64)
    unit = LayerParameters(np.eye(lanes, dtype=np.int8), 0 * each, each << 15, 15 * each)
    return pack_parameters(unit, lanes)
