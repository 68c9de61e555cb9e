# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hwgen.compile.groups import SINGLE, Arrangement, Batch, arrange, wishes
from hwgen.compile.placement import NoRoom, padded_columns, place
from hwgen.compile.rows import row_counts, single_rows
from hwgen.ir.graph import Attention, inputs_of
from hwgen.passes import canonicalise
from hwgen.presets import VitShape, vit
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import Buffer

GRAPH = canonicalise(vit("test", VitShape(16, 3, 4, 64, 2, 3, 7), seed=0))
ROWS = row_counts(GRAPH, 16, 17)


def arrangement(batch: Batch = SINGLE) -> Arrangement:
    return arrange(GRAPH, ROWS, {}, wishes(GRAPH, ROWS, {}, batch, 1024))


def test_heads_are_padded_to_whole_slices() -> None:
    columns, slices = padded_columns(40, 2, 16)
    assert slices == 4
    assert columns.tolist() == [*range(20), *range(32, 52)]


def test_values_alive_together_never_share_vectors() -> None:
    places = place(GRAPH, arrangement(), 1, EngineConfig(lanes=16))
    last_use = {name: i for i, op in enumerate(GRAPH.ops) for name in inputs_of(op)}
    for index, op in enumerate(GRAPH.ops):
        if op.output not in places:
            continue
        target = places[op.output]
        for name, other in places.items():
            born = next((i for i, o in enumerate(GRAPH.ops) if o.output == name), -1)
            alive = born < index <= last_use.get(name, -1)
            if isinstance(op, Attention) and name == op.query:
                assert other.address == target.address  # a head's results over its queries
                continue
            if alive and other.buffer == target.buffer and target.buffer != Buffer.RESIDUAL:
                mine = range(target.address, target.address + target.slices * target.stride)
                assert other.address not in mine and target.address not in range(
                    other.address, other.address + other.slices * other.stride
                )


def test_the_residual_stream_never_moves() -> None:
    places = place(GRAPH, arrangement(), 1, EngineConfig())
    stream = [p for p in places.values() if p.buffer == Buffer.RESIDUAL]
    assert {p.address for p in stream} == {0}


def test_images_one_by_one_leave_their_class_tokens_side_by_side() -> None:
    places = place(GRAPH, arrangement(Batch(4, 17)), 4, EngineConfig())
    (taken,) = (op.input for op in GRAPH.ops if op.output == GRAPH.output)
    stream, token = places["embedded"], places[taken]
    assert [stream.address_of(image, 0) for image in range(4)] == [0, 1, 2, 3]
    assert stream.stride == 17 + 3
    assert token.merges(1) and token.rows == 1
    assert [token.address_of(image, 0) for image in range(4)] == [0, 1, 2, 3]


def test_merged_images_lie_one_after_the_other() -> None:
    places = place(GRAPH, arrangement(Batch(4, 34)), 4, EngineConfig())
    stream = places["embedded"]
    assert [stream.address_of(image, 0) for image in range(4)] == [0, 17, 0, 17]
    assert stream.merges(17) and not stream.merges(1)
    assert places[GRAPH.output].stride == 4


def test_the_operation_without_room_is_told() -> None:
    with pytest.raises(NoRoom, match="value 'embedded'") as caught:
        place(GRAPH, arrangement(), 1, EngineConfig(residual_depth=16))
    assert GRAPH.ops[caught.value.index].output == "embedded"


def test_only_the_last_block_has_single_rows() -> None:
    single = single_rows(GRAPH)
    blocks = {name.split(".")[0] for name in single if name.startswith("block")}
    assert blocks == {"block2"}
    assert set(single.values()) == {0}
    assert not any("key" in name or "value" in name for name in single)
    assert np.all([GRAPH.producer(name) is not None for name in single])
