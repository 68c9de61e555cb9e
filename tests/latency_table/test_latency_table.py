# SPDX-License-Identifier: Apache-2.0
"""Latency tables: networks at a keep ratio, cycles by block, and what is kept between runs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwgen.compile import compile_model
from hwgen.config import Config, Quantisation
from hwgen.emit.rtl import FOLDER, rtl_project
from hwgen.errors import ConfigError, ModelError, VerificationError
from hwgen.estimate.cycles import estimate_cycles
from hwgen.estimate.timing import Timing
from hwgen.golden.selections import rows_written, selections
from hwgen.ir.graph import Graph
from hwgen.latency_table import cache, measure
from hwgen.latency_table.make import latency_table
from hwgen.latency_table.networks import at_share
from hwgen.passes import canonicalise
from hwgen.presets import VitShape, preset, vit
from hwgen.program.program import Program
from hwgen.progress import silent
from hwgen.sim import rtl_build
from hwgen.sim.rtl import Memory
from tests.conftest import small_engine

SHAPE = VitShape(12, 3, 4, 32, 2, 2, 7, mlp_ratio=1)
IMAGES = np.random.default_rng(5).integers(0, 256, (2, 12, 12, 3), np.uint8)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cycles of other tests are not found; compiled simulators are."""
    monkeypatch.setattr(cache, "_path", lambda key: tmp_path / "latency" / f"{key}.json")
    monkeypatch.setattr(rtl_build, "_OPTIMISE", "-O0")


def small(share: float, seed: int = 3) -> Program:
    graph = at_share(vit("test", SHAPE, seed), share)
    return compile_model(canonicalise(graph), IMAGES, Quantisation(), small_engine())


@pytest.mark.parametrize(("share", "rows"), [(1.0, [11]), (0.5, [6, 6]), (0.12, [3, 3])])
def test_every_image_keeps_the_share(share: float, rows: list[int]) -> None:
    # Nine patches: 9, 4 and 1 stay, beside the class token and a package token.
    program = small(share)
    for run in selections(program, program.input.pack(IMAGES, 16)):
        assert list(rows_written(run)) == rows


@pytest.mark.parametrize("share", [0.0, -0.5, 1.01, 0.05])
def test_impossible_shares_are_refused(share: float) -> None:
    with pytest.raises(ConfigError, match=r"keep ratios go from 0\.1111 \(one token\) to 1"):
        at_share(vit("test", SHAPE, 3), share)


def test_a_pruned_model_is_refused() -> None:
    with pytest.raises(ModelError, match="selectors"):
        latency_table("preset:fashion-vit@3:0.5", level="model")


def test_a_table_needs_a_ratio_below_one() -> None:
    with pytest.raises(ConfigError, match="needs a keep ratio below 1"):
        latency_table("preset:fashion-vit", keep=[1.0], level="model")


@pytest.mark.parametrize("batch", [1, 4])
def test_predicted_cycles_of_blocks(batch: int) -> None:
    seen: list[str] = []
    table = latency_table(
        "preset:fashion-vit", [0.5, 0.7], "model", batch=batch,
        progress=lambda stage, done, total: seen.append(stage),
    )  # fmt: skip
    assert (table.model, table.board, table.batch) == ("fashion-vit", "zcu102", batch)
    assert table.keep_ratios == (1.0, 0.7, 0.5)
    assert table.blocks == 6
    for row in table.block_cycles:
        assert row[0] > row[1] > row[2] > 0
    for row in table.selector_cycles:
        assert row[0] > row[1] > row[2] > 0
    # The table of the dense network adds up to its cycles.
    config = Config(batch=batch)
    dense = _program(preset("fashion-vit"), config)
    assert table.cycles([1.0] * 6) == pytest.approx(estimate_cycles(dense).total / batch)
    # So does that of a pruned one: blocks look alike wherever they stand.
    pruned = _program(preset("fashion-vit@4:0.7"), config)
    shares = [1.0] * 3 + [0.7] * 3
    expected = estimate_cycles(pruned).total / batch
    assert table.cycles(shares, selectors=[4]) == pytest.approx(expected, rel=0.01)
    assert {stage.partition(":")[0] for stage in seen} >= {"all tokens", "keep 1", "keep 0.5"}


def _program(graph: Graph, config: Config) -> Program:
    from hwgen.compile.groups import Batch

    images = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), np.uint8)
    engine = config.engine.resolve()
    batch = Batch(config.batch, Timing().tile_rows(engine.lanes))
    return compile_model(canonicalise(graph), images, config.quantisation, engine, batch=batch)


def test_measured_cycles_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    program = small(0.5)
    timing = Timing()
    stages: list[str] = []
    found = measure.measure(
        program, IMAGES[:1], timing, "rtl", lambda stage, done, total: stages.append(stage)
    )
    assert "RTL cycles" in stages
    predicted = measure.measure(program, IMAGES[:1], timing, "model", silent)
    assert len(found.blocks) == 2
    for measured, expected in zip(found.blocks, predicted.blocks, strict=True):
        assert measured == pytest.approx(expected, rel=0.05)
    assert found.selector == pytest.approx(predicted.selector, rel=0.05)
    total = sum(found.blocks) + found.outside + 2 * found.selector
    assert total == pytest.approx(estimate_cycles(program, timing).total, rel=0.05)

    # The same shapes with other weights are not simulated again.
    monkeypatch.setattr(measure, "compile_rtl", None)
    again = measure.measure(small(0.5, seed=4), IMAGES[:1], timing, "rtl", silent)
    assert again == found


def test_a_difference_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    def differs(*arguments: object, **options: object) -> None:
        raise VerificationError("RTL simulation differs")

    monkeypatch.setattr(measure, "compile_rtl", lambda *arguments: Path("simulator"))
    monkeypatch.setattr(measure, "verify_rtl", differs)
    with pytest.raises(VerificationError):
        measure.measure(small(0.5), IMAGES[:1], Timing(), "rtl", silent)
    with pytest.raises(VerificationError):
        measure.measure(small(0.5), IMAGES[:1], Timing(), "rtl", silent)


def test_what_decides_cycles_is_in_the_key() -> None:
    program = small(0.5)
    project = rtl_project(program.engine)
    sources = {name.removeprefix(f"{FOLDER}/"): data for name, data in project.items()}
    keys = [
        cache.key(program, Memory(), sources),
        cache.key(small(0.7), Memory(), sources),
        cache.key(program, Memory(latency=90), sources),
        cache.key(program, Memory(), sources | {"issuer.sv": b"another"}),
        cache.key(replace(program, engine=small_engine(32)), Memory(), sources),
    ]
    assert len(set(keys)) == len(keys)
    assert cache.key(small(0.5, seed=9), Memory(), sources) == keys[0]


def test_a_damaged_entry_is_measured_again(tmp_path: Path) -> None:
    cache.save("key", [1, 2])
    assert cache.load("key") == [1, 2]
    for text in ("{}", "[1, 2", ""):
        (tmp_path / "latency" / "key.json").write_text(text)
        assert cache.load("key") is None
    assert cache.load("other") is None
