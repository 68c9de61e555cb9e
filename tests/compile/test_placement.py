# SPDX-License-Identifier: Apache-2.0
import numpy as np

from hwgen.compile.placement import padded_columns, place
from hwgen.compile.rows import single_rows
from hwgen.ir.graph import inputs_of
from hwgen.passes import canonicalise
from hwgen.presets import VitShape, vit
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Buffer

GRAPH = canonicalise(vit("test", VitShape(16, 3, 4, 64, 2, 3, 7), seed=0))


def rows() -> dict[str, int]:
    counts = dict.fromkeys([op.output for op in GRAPH.ops], 17)
    take = next(i for i, op in enumerate(GRAPH.ops) if op.output == GRAPH.ops[-1].input)
    return counts | {op.output: 1 for op in GRAPH.ops[take:]} | {GRAPH.input.name: 16}


def test_heads_are_padded_to_whole_slices() -> None:
    columns, slices = padded_columns(40, 2, 16)
    assert slices == 4
    assert columns.tolist() == [*range(20), *range(32, 52)]


def test_values_alive_together_never_share_vectors() -> None:
    places = place(GRAPH, rows(), {}, EngineConfig(lanes=16))
    last_use = {name: i for i, op in enumerate(GRAPH.ops) for name in inputs_of(op)}
    for index, op in enumerate(GRAPH.ops):
        if op.output not in places:
            continue
        target = places[op.output]
        for name, other in places.items():
            born = next((i for i, o in enumerate(GRAPH.ops) if o.output == name), -1)
            alive = born < index <= last_use.get(name, -1)
            if alive and other.buffer == target.buffer and target.buffer != Buffer.RESIDUAL:
                mine = range(target.address, target.address + target.slices * target.stride)
                assert other.address not in mine and target.address not in range(
                    other.address, other.address + other.slices * other.stride
                )


def test_the_residual_stream_never_moves() -> None:
    places = place(GRAPH, rows(), {}, EngineConfig())
    stream = [p for p in places.values() if p.buffer == Buffer.RESIDUAL]
    assert {p.address for p in stream} == {0}


def test_only_the_last_block_has_single_rows() -> None:
    single = single_rows(GRAPH)
    blocks = {name.split(".")[0] for name in single if name.startswith("block")}
    assert blocks == {"block2"}
    assert set(single.values()) == {0}
    assert not any("key" in name or "value" in name for name in single)
    assert np.all([GRAPH.producer(name) is not None for name in single])
