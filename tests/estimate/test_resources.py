# SPDX-License-Identifier: Apache-2.0
"""Predicted resources: memory shapes, the budget of the default engine, refusals."""

from dataclasses import replace

import pytest

from hwgen.boards import Limits, board_names, load_board
from hwgen.errors import FitError
from hwgen.estimate.block_ram import bram36, uram
from hwgen.estimate.fit import fit
from hwgen.estimate.memories import memory
from hwgen.estimate.resources import predict_resources
from hwgen.estimate.usage import Resources, Usage
from hwgen.program.engine import EngineConfig


@pytest.mark.parametrize(
    ("width", "depth", "blocks"),
    [
        (2048, 1024, 57),  # measured: one write enable
        (64, 1024, 2),  # measured: 32 such banks are 64 blocks
        (72, 512, 1),
        (73, 512, 2),
        (36, 1024, 1),
        (18, 2048, 1),
        (9, 4096, 1),
        (1, 32768, 1),
        (8, 4097, 2),
        (512, 24576, 342),
    ],
)
def test_block_ram(width: int, depth: int, blocks: int) -> None:
    assert bram36(width, depth) == blocks


def test_banks_with_their_own_write_enable() -> None:
    assert 32 * bram36(64, 1024) == 64


def test_ultra_ram() -> None:
    assert uram(32 * 64, 4096) == 29
    assert 32 * uram(64, 4096) == 32  # measured
    assert uram(512, 4097) == 16


def test_blocks_are_joined_in_depth() -> None:
    # Measured: 5,632 vectors of 1,024 bits take three rows of blocks, not eleven.
    assert memory(1024, 5632) == Usage(lut=1024, ff=1024, bram36=171)
    assert memory(512, 1024).lut == 0
    assert memory(512, 10240, reads=2).lut == 2 * 2 * 512
    assert memory(128, 4096, ultra=True).bram36 == 0
    assert memory(128, 4096, ultra=True).uram == 2


def test_array_matches_the_measured_one() -> None:
    array = predict_resources(EngineConfig()).modules["array"]
    assert array.dsp == 2048
    assert array.lut == pytest.approx(9282, rel=0.05)
    assert array.ff == pytest.approx(9934, rel=0.05)
    assert predict_resources(EngineConfig(lanes=16)).modules["array"].dsp == 128


def test_the_default_engine_fits_its_budget() -> None:
    total = predict_resources(EngineConfig()).total
    assert total.dsp <= 2520
    assert total.lut <= 220_000
    assert total.bram36 <= 880
    assert total.uram == 0


def test_dsp_budget_by_lane() -> None:
    modules = predict_resources(EngineConfig()).modules
    assert modules["epilogue"].dsp == 5 * 64
    assert modules["layer_norm"].dsp + modules["softmax"].dsp == 2 * 64 + 13 + 7


@pytest.mark.parametrize("name", board_names())
def test_the_default_engine_of_each_board_fits(name: str) -> None:
    board = load_board(name)
    fit(predict_resources(board.engine, ultra_ram=board.ultra_ram), board.usable, name)


def test_refusal_of_memory_names_the_depth() -> None:
    resources = predict_resources(replace(EngineConfig(), prefetch_depth=32768))
    with pytest.raises(FitError) as caught:
        fit(resources, load_board("zcu102").usable, "zcu102")
    assert str(caught.value) == (
        "The engine does not fit zcu102: it needs 927 36 Kb block RAMs and may take 880. The "
        "largest users are prefetch_buffer 480, residual_buffer 171, work_buffer 145. Lower "
        "engine.prefetch_depth or engine.residual_depth or engine.work_depth, or choose a larger "
        "board."
    )


def test_refusal_of_multipliers_names_the_lanes() -> None:
    with pytest.raises(FitError, match=r"2,518 DSP slices and may take 360.*array 2,048"):
        fit(predict_resources(EngineConfig()), load_board("ultra96v2").usable)
    with pytest.raises(FitError, match=r"Also too many: LUTs.*smaller engine\.lanes"):
        fit(predict_resources(EngineConfig()), load_board("ultra96v2").usable)


def test_unset_limits_are_not_compared() -> None:
    resources = Resources({"all": Usage(lut=1, ff=10**6, dsp=1, bram36=1)})
    fit(resources, Limits(lut=1, dsp=1, bram36=1))
