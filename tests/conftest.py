# SPDX-License-Identifier: Apache-2.0
"""A Program with one of every instruction, small enough to simulate in an instant."""

import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hwgen.golden.matmul import LayerParameters, pack_parameters
from hwgen.numerics.gelu import gelu_constants
from hwgen.numerics.layer_norm import mean_multiplier
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Buffer, Region
from hwgen.program.instructions import (
    Attention,
    End,
    Instruction,
    Load,
    Matmul,
    SetTokens,
    TokenSelect,
)
from hwgen.program.program import InputLayout, OutputLayout, Program

collect_ignore = ["driver"]
"""Those run where the driver does: ``make test-driver``."""

ROWS = 5
WIDTH = 32
HIDDEN = 48
CLASSES = 10


def small_engine(lanes: int = 16) -> EngineConfig:
    """Just large enough for ``small_program``."""
    return EngineConfig(
        lanes=lanes,
        max_rows=16,
        score_depth=16,
        residual_depth=64,
        work_depth=128,
        value_depth=32,
        prefetch_depth=256,
    )


def small_program(lanes: int = 16, seed: int = 1) -> Program:
    """One transformer block of random weights on 5 patches, its last step one row of classes."""
    rng = np.random.default_rng(seed)
    engine = small_engine(lanes)
    beats: list[np.ndarray] = []

    def slices(columns: int) -> int:
        return -(-columns // lanes)

    def append(block: np.ndarray) -> int:
        offset = sum(len(part) for part in beats)
        beats.append(block)
        return offset

    def layer(outputs: int, inputs: int, shift: int) -> dict[str, int]:
        n, k = slices(outputs) * lanes, slices(inputs) * lanes
        weights = np.zeros((n, k), np.int8)
        weights[:outputs, :inputs] = rng.integers(-127, 128, (outputs, inputs))
        bias = np.zeros(n, np.int32)
        bias[:outputs] = rng.integers(-5000, 5000, outputs)
        multiplier = rng.integers(1 << 15, 1 << 16, n).astype(np.uint16)
        parameters = LayerParameters(weights, bias, multiplier, np.full(n, shift, np.uint8))
        return {
            "reduction_slices": k // lanes,
            "output_slices": n // lanes,
            "offset": append(pack_parameters(parameters, lanes)),
        }

    width, hidden = slices(WIDTH), slices(HIDDEN)
    positions = np.zeros((width, ROWS, lanes), "<i2")
    positions.reshape(width, ROWS, lanes)[:] = rng.integers(-900, 900, (width, ROWS, lanes))
    # Columns beyond the width stay zero in the residual stream.
    columns = np.arange(width * lanes).reshape(width, 1, lanes)
    positions[np.broadcast_to(columns >= WIDTH, positions.shape)] = 0

    work = {"rows": 0, "rows_register": 1, "source_stride": ROWS, "destination_stride": ROWS}
    normalised = {
        "source_buffer": Buffer.RESIDUAL,
        "source_address": 0,
        "normalise": 1,
        "columns": WIDTH,
        "mean_multiplier": mean_multiplier(WIDTH),
        "epsilon": 1000,
        "normalise_multiplier": 40000,
        "normalise_shift": 11,
    }
    one, slope = vars(gelu_constants()).values()
    patches = slices(16)
    query = patches * ROWS
    key = query + width * ROWS
    steps: list[tuple[str, Instruction]] = [
        ("rows", SetTokens(register=0, rows=ROWS)),
        (
            "positions",
            Load(
                Region.WEIGHTS,
                append(positions.reshape(-1, lanes).view(np.uint8).reshape(-1, lanes)),
                Buffer.RESIDUAL,
                0,
                width * ROWS,
            ),
        ),
        ("patches", Load(Region.INPUT, 0, Buffer.WORK, 0, patches * ROWS, offset_binary=1)),
        (
            "embed",
            Matmul(
                source_buffer=Buffer.WORK,
                source_address=0,
                destination_buffer=Buffer.RESIDUAL,
                destination_address=0,
                residual=1,
                residual_address=0,
                residual_stride=ROWS,
                **work,
                **layer(WIDTH, 16, 20),
            ),
        ),
    ]
    targets = (("query", Buffer.WORK, query), ("key", Buffer.WORK, key), ("value", Buffer.VALUE, 0))
    steps += [
        (
            f"block 0 {name}",
            Matmul(
                destination_buffer=buffer,
                destination_address=address,
                **normalised,
                **work,
                **layer(WIDTH, WIDTH, 24),
            ),
        )
        for name, buffer, address in targets
    ]
    steps += [
        (
            "block 0 attention",
            Attention(
                rows=0,
                rows_register=1,
                keys=ROWS,
                keys_register=0,
                query_address=query,
                query_stride=ROWS,
                key_address=key,
                key_stride=ROWS,
                value_address=0,
                value_stride=ROWS,
                destination_address=query,
                destination_stride=ROWS,
                heads=width,
                head_slices=1,
                score_multiplier=40000,
                score_shift=24,
                exponent_multiplier=700,
                output_multiplier=40000,
                output_shift=16,
            ),
        ),
        (
            "block 0 fc1",
            Matmul(
                destination_buffer=Buffer.WORK,
                destination_address=key,
                gelu=1,
                gelu_one=one,
                gelu_slope=slope,
                gelu_multiplier=40000,
                gelu_shift=21,
                **normalised,
                **work,
                **layer(HIDDEN, WIDTH, 19),
            ),
        ),
        (
            "block 0 fc2",
            Matmul(
                source_buffer=Buffer.WORK,
                source_address=key,
                destination_buffer=Buffer.RESIDUAL,
                destination_address=0,
                residual=1,
                residual_address=0,
                residual_stride=ROWS,
                **work,
                **layer(WIDTH, HIDDEN, 21),
            ),
        ),
        (
            "head",
            Matmul(
                rows=1,
                rows_register=0,
                source_stride=ROWS,
                destination_stride=1,
                destination_buffer=Buffer.OUTPUT,
                destination_address=0,
                **normalised,
                **layer(CLASSES, WIDTH, 20),
            ),
        ),
        ("end", End()),
    ]
    assert key + hidden * ROWS <= engine.work_depth
    labels, instructions = zip(*steps, strict=True)
    return Program(
        name="small",
        engine=engine,
        instructions=instructions,
        labels=labels,
        weights=np.concatenate(beats),
        input=InputLayout(height=4 * ROWS, width=4, channels=1, patch=4),
        output=OutputLayout(rows=1, columns=CLASSES, scale=2.0**-8),
        classes=tuple(f"class {index}" for index in range(CLASSES)),
    )


def selecting(program: Program) -> Program:
    """``program`` with a selection behind its embedding, in place, that takes the pixels as scores;
    all that follows counts the rows that stay: 1 to 5.
    """
    steps = list(zip(program.labels, program.instructions, strict=True))
    for index, (label, op) in enumerate(steps):
        if isinstance(op, Attention):
            steps[index] = (label, replace(op, keys_register=op.rows_register))
    select = TokenSelect(
        rows=0,
        rows_register=1,
        source_address=0,
        source_stride=ROWS,
        destination_address=0,
        destination_stride=ROWS,
        slices=-(-WIDTH // program.engine.lanes),
        score_address=0,
        heads=2,
        threshold=256,
        limit=ROWS,
        prefix=1,
        count_register=1,
    )
    steps.insert(program.labels.index("embed") + 1, ("selection", select))
    labels, instructions = zip(*steps, strict=True)
    return replace(program, labels=labels, instructions=instructions)


def small_images(count: int, program: Program, seed: int = 2) -> np.ndarray:
    """Random images as beats, uint8 (count, beats, lanes)."""
    layout = program.input
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, layout.height, layout.width), np.uint8)
    return layout.pack(images, program.engine.lanes)


@pytest.fixture
def make_program() -> Callable[..., Program]:
    """Builds the small Program: ``make_program(lanes=16, seed=1)``."""
    return small_program


@pytest.fixture
def make_images() -> Callable[..., np.ndarray]:
    """Makes random images of a Program as beats: ``make_images(count, program, seed=2)``."""
    return small_images


@pytest.fixture
def program() -> Program:
    """The small Program for 16 lanes."""
    return small_program()


@pytest.fixture
def selecting_program() -> Program:
    """The small Program with a TOKEN_SELECT: its row counts depend on the image."""
    return selecting(small_program())


@pytest.fixture(scope="session", autouse=True)
def _simulations_in_the_test_cache(pytestconfig: pytest.Config) -> None:
    """Compiled simulations are kept from one test run to the next, but not in the user's cache."""
    cache = getattr(pytestconfig, "cache", None)
    if cache is not None:
        os.environ.setdefault("HWGEN_CACHE", str(cache.mkdir("hwgen")))


def pytest_addoption(parser: pytest.Parser) -> None:
    """What tests/rtl/test_network.py runs on."""
    parser.addoption(
        "--rtl",
        metavar="builtin|hls|PATH",
        help="the engine under test: ours, our C++, or a Verilog file or folder with a module "
        "hwgen_engine, such as impl/verilog of Vitis HLS",
    )
    parser.addoption(
        "--rtl-config",
        metavar="FILE",
        help="hwgen.yaml of the design that --rtl PATH was made from; default: the defaults",
    )
