# SPDX-License-Identifier: Apache-2.0
"""The self-test of an engine: every check in its order, and the output that is right."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hwgen.driver.diagnosis import Checks
from hwgen.errors import FitError
from hwgen.golden.interpreter import Interpreter
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Region
from hwgen.program.program import Program
from hwgen.self_test import attention, memories, products, tokens
from hwgen.self_test.units import units
from hwgen.self_test.writer import Writer

SMALLEST = {
    "max_rows": 16,
    "score_depth": 16,
    "residual_depth": 64,
    "work_depth": 128,
    "value_depth": 32,
}
"""What the checks need of an engine."""


@dataclass(frozen=True, eq=False)
class SelfTest:
    """A self-test: one run.

    Attributes:
        images: its input, uint8 (1, beats, 1, lanes), as ``program.input`` takes it.
        expected: its output region, int16 (vectors, lanes).
        checks: parts of the output, and what it says when they are wrong.
    """

    program: Program
    images: np.ndarray
    expected: np.ndarray
    checks: Checks


def self_test(engine: EngineConfig) -> SelfTest:
    """The self-test for an engine.

    Raises:
        FitError: its buffers are too small for the checks.
    """
    for name, least in SMALLEST.items():
        if (size := getattr(engine, name)) < least:
            raise FitError(
                f"engine.{name} is {size}; the self-test needs {least}. Raise it, no network fits "
                "a smaller engine."
            )
    writer = Writer(engine)
    for name, write in CHECKS:
        with writer.check(name):
            write(writer)
    program, images = writer.program(), writer.images()
    beats = program.input.pack(images, engine.lanes)
    checks = Checks(writer.checks, units(engine.lanes))
    return SelfTest(program, images, Interpreter(program).run(beats)[0], checks)


CHECKS: tuple[tuple[str, Callable[[Writer], None]], ...] = (
    ("write path", memories.write_path),
    ("residual words", lambda w: memories.residual_words(w, Region.WEIGHTS)),
    ("residual words from input", lambda w: memories.residual_words(w, Region.INPUT)),
    ("residual addresses", memories.residual_addresses),
    ("residual addresses normalised", memories.residual_addresses_normalised),
    ("requantised biases", products.requantise_biases),
    ("requantised products", products.requantise_products),
    ("array from work", products.array_from_work),
    ("array from residual", products.array_from_residual),
    ("work words", lambda w: memories.work_words(w, Region.WEIGHTS)),
    ("work words from input", lambda w: memories.work_words(w, Region.INPUT)),
    ("pixels", lambda w: memories.work_words(w, Region.INPUT, offset_binary=1)),
    ("work addresses", memories.work_addresses),
    ("accumulators", products.accumulators),
    ("GELU", products.gelu),
    ("residual addition", products.residual_addition),
    ("LayerNorm", products.layer_norm),
    ("LayerNorm of results", products.layer_norm_of_results),
    ("mean", products.mean),
    ("second source", products.second_source),
    ("values", attention.value_buffer),
    ("scores", attention.scores),
    ("equal scores", attention.uniform),
    ("exponentials", attention.exponentials),
    ("heads", attention.heads),
    ("score buffer", attention.score_buffer),
    ("registers", tokens.registers),
    ("registers of attention", tokens.registers_of_attention),
    ("copies", tokens.copies),
    ("selection", tokens.selection),
    ("package", tokens.package),
    ("decisions", tokens.decisions),
    # What comes behind it would be in the buffer, too.
    ("prefetch", memories.prefetch),
)
"""Every check with its name, the basic ones first."""
