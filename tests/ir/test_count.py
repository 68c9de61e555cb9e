# SPDX-License-Identifier: Apache-2.0
from hwgen.compile.rows import single_rows
from hwgen.ir.count import macs, parameters
from hwgen.passes import canonicalise
from hwgen.presets import preset


def test_deit_tiny_has_its_published_size() -> None:
    graph = preset("deit-tiny")
    assert parameters(graph) == 5_717_416
    assert macs(graph) == 1_253_683_200


def test_passes_do_not_change_the_multiplications() -> None:
    graph = preset("fashion-vit")
    assert macs(canonicalise(graph)) == macs(graph)


def test_rows_that_are_left_out_do_not_count() -> None:
    graph = canonicalise(preset("fashion-vit"))
    width, hidden, tokens = 128, 256, 197
    row = width * width * 2 + 2 * width * hidden + 2 * tokens * width
    assert macs(graph) - macs(graph, single_rows(graph)) == (tokens - 1) * row
