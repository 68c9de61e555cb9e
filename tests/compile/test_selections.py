# SPDX-License-Identifier: Apache-2.0
"""Programs of networks that select tokens."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from hwgen.compile import compile_model
from hwgen.compile.groups import Batch, arrange, order, wishes
from hwgen.compile.layout import choose_layout
from hwgen.compile.rows import expected_rows, row_counts
from hwgen.compile.selections import depths, regions, selector_operations
from hwgen.config import Quantisation
from hwgen.errors import FitError
from hwgen.golden.interpreter import Interpreter
from hwgen.ir.blocks import blocks, with_selectors
from hwgen.ir.evaluate import logits
from hwgen.ir.graph import Graph, SelectTokens, TakeToken, TokenSelector
from hwgen.ir.selections import selections
from hwgen.keep_ratios import random_selector
from hwgen.passes import canonicalise
from hwgen.presets import VitShape, preset, vit
from hwgen.program.engine import EngineConfig
from hwgen.program.extent import Extent, most_rows
from hwgen.program.fields import Buffer
from hwgen.program.instructions import TokenSelect
from hwgen.program.program import Program
from hwgen.program.tokens import TOKEN_REGISTERS, resolved

SHAPE = VitShape(image=32, channels=3, patch=4, width=64, heads=2, blocks=6, classes=7)
SMALL = EngineConfig(lanes=16)
IMAGES = np.random.default_rng(5).integers(0, 256, (4, 32, 32, 3), np.uint8)
Package = Literal["merged", "kept"]


def graph(package: Package = "merged", limit: int | None = None, threshold: float = 0.5) -> Graph:
    """Selectors before blocks 2, 3 and 5 that decide by their (random) scores."""
    dense = vit("test", SHAPE, seed=0)
    chosen = {block: selector(dense, block, package, limit, threshold) for block in (2, 3, 5)}
    return canonicalise(with_selectors(dense, chosen))


def selector(
    network: Graph, block: int, package: Package, limit: int | None, threshold: float
) -> TokenSelector:
    rng = np.random.default_rng(block)
    made = random_selector(blocks(network)[block - 1], rng, 0)
    return replace(
        made,
        score_weight=4 * made.score_weight,
        score_bias=0 * made.score_bias,
        package=package,
        limit=limit,
        threshold=threshold,
    )


def compiled(network: Graph, batch: Batch, **options: bool) -> Program:
    return compile_model(network, IMAGES, Quantisation(), SMALL, batch=batch, **options)


def run(program: Program) -> tuple[np.ndarray, list[int]]:
    """Logits, and the rows that each TOKEN_SELECT of the first run wrote."""
    rows: list[int] = []

    def observe(index: int, extent: Extent, _vectors: np.ndarray) -> None:
        if isinstance(program.instructions[index], TokenSelect):
            rows.append(extent.rows)

    beats = program.input.pack(IMAGES, SMALL.lanes)
    output = Interpreter(program).run(beats[:1], observe)
    output = np.concatenate([output, Interpreter(program).run_all(beats[1:])])
    return program.output.unpack(output).reshape(len(IMAGES), -1), rows


@pytest.mark.parametrize("package", ["merged", "kept"])
@pytest.mark.parametrize(("images", "tile_rows"), [(2, 1), (2, 40), (4, 40), (4, 70), (4, 999)])
def test_merged_images_keep_their_results(package: Package, images: int, tile_rows: int) -> None:
    network = graph(package)
    alone, _ = run(compiled(network, Batch()))
    program = compiled(network, Batch(images, tile_rows))
    merged, rows = run(program)
    np.testing.assert_array_equal(merged, alone)
    # A selection never moves a row up, and never onto another image's rows that are still needed.
    for op in resolved(program, rows):
        if isinstance(op, TokenSelect) and op.heads:
            assert op.destination_address < op.source_address
            assert op.destination_stride == op.source_stride


def test_images_have_different_token_counts_and_follow_the_float_network() -> None:
    network = graph()
    counts = {tuple(one.written for one in each) for each in selections(network, IMAGES)}
    assert len(counts) > 1
    found, _ = run(compiled(network, Batch()))
    assert np.corrcoef(found.ravel(), logits(network, IMAGES).ravel())[0, 1] > 0.8


@pytest.mark.parametrize(("threshold", "kept"), [(0.0, 64), (1.0, 0)])
def test_all_and_none(threshold: float, kept: int) -> None:
    _, rows = run(compiled(graph(threshold=threshold), Batch()))
    assert rows == [1 + kept + 1] * 3


def test_a_limit_bounds_rows_and_room() -> None:
    network = graph(limit=10, threshold=0.0)
    program = compiled(network, Batch(4, 60))
    _, rows = run(program)
    assert [r for r in rows if r > 1] == [12] * 12
    depth = max(
        op.destination_address + (op.slices - 1) * op.destination_stride + most_rows(op)
        for op in resolved(program, rows)
        if isinstance(op, TokenSelect)
    )
    # 4 slices of: three images of 12 rows, an unpruned one, a row an image for each selection.
    assert depth <= 4 * (3 * 12 + 65 + 3 * 4) + 4 * 4


def test_the_last_block_of_single_rows_gives_the_same() -> None:
    network = graph()
    whole, _ = run(compiled(network, Batch()))
    single, _ = run(compiled(network, Batch(), class_token_only=True))
    np.testing.assert_array_equal(single, whole)


def test_token_registers_suffice() -> None:
    program = compiled(graph(), Batch(4, 999))
    used = [
        getattr(op, name)
        for op in program.instructions
        for name in vars(op)
        if name.endswith("_register")
    ]
    assert 0 < max(used) <= TOKEN_REGISTERS


def test_regions_end_at_selections_and_selectors_run_image_by_image() -> None:
    network = graph()
    found = regions(network)
    ends = [network.ops[region.stop - 1] for region in found[:3]]
    assert all(isinstance(op, SelectTokens) for op in ends)
    assert isinstance(network.ops[found[-1].start], TakeToken)
    depth = depths(network)
    assert [depth[op.output] for op in ends] == [1, 2, 3] and depth[network.output] == 0
    alone = selector_operations(network)
    assert len(alone) == 3 * 6
    rows = row_counts(network, 64, 65)
    batch = Batch(4, 999)
    arrangement = arrange(network, rows, {}, wishes(network, rows, {}, batch, 1024))
    steps = list(order(network, arrangement, 4))
    assert {len(images) for index, images in steps if index in alone} == {1}
    assert regions(canonicalise(vit("dense", SHAPE, seed=0))) == []


def test_ordinary_row_counts_decide_how_many_images_merge() -> None:
    network = graph()
    rows = row_counts(network, 64, 65)
    expected = expected_rows(network, rows, IMAGES)
    selected = network.ops[regions(network)[1].stop - 1].output
    assert 1 < expected[selected] < rows[selected]
    batch = Batch(4, 60)
    few = wishes(network, rows, {}, batch, 1024, expected)
    assert max(few) == 4 and sum(few) > sum(wishes(network, rows, {}, batch, 1024))


def test_deit_base_merges_as_many_images_as_the_default_engine_holds() -> None:
    network = canonicalise(preset("deit-base@4:0.42,7:0.21,10:0.13"))
    layout = choose_layout(
        network, row_counts(network, 196, 197), False, Batch(4, 101), EngineConfig()
    )
    assert sorted(set(layout.arrangement.groups)) == [1, 2, 4]
    stream = [p for p in layout.places.values() if p.buffer == Buffer.RESIDUAL]
    assert max(p.address + p.rows for p in stream) <= EngineConfig().residual_depth


def test_a_selector_of_too_many_heads_is_refused() -> None:
    shape = replace(SHAPE, heads=16)
    network = vit("test", shape, seed=0)
    network = with_selectors(network, {3: selector(network, 3, "merged", None, 0.5)})
    with pytest.raises(FitError, match="16 heads; an engine of 16 lanes takes 8"):
        compile_model(canonicalise(network), IMAGES, Quantisation(), SMALL)
