# SPDX-License-Identifier: Apache-2.0
from hwgen.ir.edit import live, reading, sole_consumer
from hwgen.ir.graph import Add, Gelu, Graph, ImageInput

IMAGE = ImageInput("i", 1, 1, 1, (0.5,), (0.5,))
A, B = Gelu("a", "i", "x"), Gelu("b", "x", "y")
SUM, DEAD = Add("sum", "x", "y", "z"), Gelu("dead", "y", "w")


def test_live_keeps_what_the_output_needs_in_order() -> None:
    assert live((A, B, DEAD, SUM), "z") == (A, B, SUM)
    assert live((A, B, DEAD, SUM), "x") == (A,)


def test_sole_consumer() -> None:
    graph = Graph("g", IMAGE, (A, B, SUM), "z")
    assert sole_consumer(graph, "y") is SUM
    assert sole_consumer(graph, "x") is None, "two operations read it"
    assert sole_consumer(graph, "z") is None, "it is the output"


def test_reading_changes_every_input_of_that_name() -> None:
    assert reading(Add("sum", "x", "x", "x"), "x", "new") == Add("sum", "new", "new", "x")
    assert reading(SUM, "y", "new") == Add("sum", "x", "new", "z")
    assert reading(A, "x", "new") == A, "it makes x and does not read it"
