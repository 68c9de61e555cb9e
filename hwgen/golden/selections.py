# SPDX-License-Identifier: Apache-2.0
"""What token selections do, image by image: which rows stay, and which patches these are."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from hwgen.golden.interpreter import Interpreter, batches
from hwgen.golden.select import patches_before, patches_behind
from hwgen.program.instructions import TokenSelect
from hwgen.program.program import Program


@dataclass(frozen=True, eq=False)
class Selection:
    """One TOKEN_SELECT in one run.

    Attributes:
        index: of the instruction.
        kept: which of the rows it read stayed, bool (rows,).
        written: rows that it wrote, a package token among them.
    """

    index: int
    kept: np.ndarray
    written: int


@dataclass(frozen=True, eq=False)
class Stage:
    """What a selector did to one image.

    Attributes:
        selector: its name.
        image: in its run, from 0.
        read, written: rows.
        patches: which of the image's patches are still there, bool (patches,).
    """

    selector: str
    image: int
    read: int
    written: int
    patches: np.ndarray


class Selections:
    """Collects what the token selections of a program do, one run after the other: a
    ``SelectionObserver``.

    Attributes:
        runs: of each run its TOKEN_SELECTs in order.
    """

    def __init__(self, program: Program) -> None:
        self.runs: list[tuple[Selection, ...]] = []
        self._program = program
        self._last = max(selects(program), default=None)
        self._run: list[Selection] = []

    def __call__(self, index: int, kept: np.ndarray) -> None:
        op = self._program.instructions[index]
        assert isinstance(op, TokenSelect)
        self._run.append(Selection(index, kept, int(kept.sum()) + op.package))
        if index == self._last:
            self.runs.append(tuple(self._run))
            self._run = []


def selects(program: Program) -> list[int]:
    """Indices of the program's TOKEN_SELECTs."""
    return [i for i, op in enumerate(program.instructions) if isinstance(op, TokenSelect)]


def selections(program: Program, beats: np.ndarray) -> list[tuple[Selection, ...]]:
    """The TOKEN_SELECTs of each run, by the reference interpreter.

    Args:
        beats: uint8 (runs, beats, lanes), from ``InputLayout.pack``.
    """
    found, interpreter = Selections(program), Interpreter(program)
    if selects(program):
        for part in batches(beats):
            interpreter.run(part, selection=found)
    return found.runs


def rows_written(run: tuple[Selection, ...]) -> tuple[int, ...]:
    """Rows that each TOKEN_SELECT of a run wrote, as ``estimate_cycles`` takes them."""
    return tuple(selection.written for selection in run)


def operation(label: str) -> str:
    """The operation that an instruction with this label is for, whatever the images."""
    return label.partition(" of image")[0]


def of_selector(label: str, selector: str) -> bool:
    """Whether an instruction with this label is for the selector, or for a layer inside it."""
    name = operation(label)
    return name == selector or name.startswith(f"{selector}.")


def stages(program: Program, run: tuple[Selection, ...]) -> list[Stage]:
    """What each selector did to each image of a run, in the program's order. TOKEN_SELECTs that
    decide nothing, copies of class tokens, are left out.
    """
    found: list[Stage] = []
    images: Counter[str] = Counter()
    places: dict[int, np.ndarray] = {}
    for selection in run:
        op = program.instructions[selection.index]
        assert isinstance(op, TokenSelect)
        if not op.heads:
            continue
        name, rows = operation(program.labels[selection.index]), len(selection.kept)
        image = images[name]
        images[name] += 1
        here = places.get(image)
        if here is None:
            here = patches_before(rows, op.prefix)
        there = places[image] = patches_behind(op, here, selection.kept)
        patches = np.zeros(program.input.rows, bool)
        patches[there[there >= 0]] = True
        found.append(Stage(name, image, rows, selection.written, patches))
    return found
