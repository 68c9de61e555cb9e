# SPDX-License-Identifier: Apache-2.0
"""Graphs become ONNX files that onnxruntime runs and hwgen reads back."""

from collections.abc import Callable
from dataclasses import fields, replace
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import onnx
import pytest

from hwgen.data_files import load_data
from hwgen.errors import ModelError
from hwgen.frontend import float_reference, load, write_onnx
from hwgen.frontend.importer import check_against_reference
from hwgen.frontend.reference import FloatReference
from hwgen.ir.blocks import blocks, with_selectors
from hwgen.ir.evaluate import logits
from hwgen.ir.graph import Add, Graph, Linear, Op, Scale, TakeToken, TokenSelector
from hwgen.ir.selections import selections
from hwgen.keep_ratios import random_selector, with_keep_ratios
from hwgen.passes import canonicalise
from hwgen.presets import VitShape, vit

PLAIN = vit("small", VitShape(16, 3, 4, 12, 3, 4, 5), seed=1)
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)


def selecting(graph: Graph, *numbers: int, **changes: object) -> Graph:
    """Random selectors that keep about half of the tokens, and not the same of all images."""
    rng = np.random.default_rng(4)
    selectors = {}
    for number in numbers:
        made = random_selector(blocks(graph)[number - 1], rng, limit=0)
        centred: dict[str, object] = {
            "score_weight": 4 * made.score_weight,
            "score_bias": made.score_bias - np.array([2, 0], np.float32),
            "threshold": 0.5,
            "limit": None,
        }
        selectors[number] = replace(made, **(centred | changes))
    return with_selectors(graph, selectors)


def halving(graph: Graph, images: np.ndarray) -> Graph:
    """Thresholds such that each selector keeps about half of the patches it sees."""
    for position, name in enumerate(op.name for op in graph.ops if isinstance(op, TokenSelector)):
        low, high = 0.0, 1.0
        for _ in range(12):
            middle = (low + high) / 2
            graph = replace(
                graph,
                ops=tuple(
                    replace(op, threshold=middle) if op.name == name else op for op in graph.ops
                ),
            )
            stages = [image[position] for image in selections(graph, images)]
            kept = sum(stage.written for stage in stages) / sum(len(s.kept) for s in stages)
            low, high = (middle, high) if kept > 0.5 else (low, middle)
    return graph


def with_layer_scale(graph: Graph) -> Graph:
    ops: list[Op] = []
    rng = np.random.default_rng(4)
    for op in graph.ops:
        if isinstance(op, Add):
            factor = rng.normal(size=12).astype(np.float32)
            ops.append(Scale(f"{op.name}.scale", op.right, f"{op.right}.scaled", factor))
            op = replace(op, right=f"{op.right}.scaled")
        ops.append(op)
    return replace(graph, ops=tuple(ops))


def taken_as_imported(graph: Graph) -> Graph:
    """With the name that importing gives to the value of a TakeToken."""
    *body, take, head = graph.ops
    assert isinstance(take, TakeToken) and isinstance(head, Linear)
    row = f"{take.input}.token{take.index}"
    return replace(graph, ops=(*body, replace(take, output=row), replace(head, input=row)))


def assert_equal(found: Graph, expected: Graph) -> None:
    assert (found.input, found.output, found.classes) == (
        expected.input,
        expected.output,
        expected.classes,
    )
    for a, b in zip(found.ops, expected.ops, strict=True):
        assert type(a) is type(b)
        for field in fields(a):
            x, y = getattr(a, field.name), getattr(b, field.name)
            if isinstance(y, np.ndarray):
                assert x.dtype == y.dtype == np.float32
                np.testing.assert_array_equal(x, y, err_msg=f"{b.name}.{field.name}")
            elif isinstance(y, float):
                assert np.float32(x) == np.float32(y), f"{b.name}.{field.name}"
            else:
                assert x == y, f"{b.name}.{field.name}"


GRAPHS = {
    "plain": PLAIN,
    "one channel": vit("grey", VitShape(6, 1, 2, 8, 2, 1, 3), seed=2),
    "layer scale": with_layer_scale(PLAIN),
    "classes": replace(PLAIN, classes=("a, b", "[c]", " d", '"e"', "é")),
    "selectors": selecting(PLAIN, 2, 4),
    "kept packages": selecting(PLAIN, 2, 3, 4, package="kept"),
    "relu": selecting(PLAIN, 3, activation="relu", prefix=1),
    "different ones": with_selectors(
        PLAIN,
        {
            number: next(op for op in selecting(PLAIN, number, **changes).ops
                         if isinstance(op, TokenSelector))
            for number, changes in (
                (2, {"activation": "relu", "package": "kept"}),
                (3, {"limit": 5}),
                (4, {"threshold": 0.35, "package": "kept"}),
            )
        },
    ),
    "shares": with_keep_ratios(PLAIN, {2: 0.7, 3: 0.39, 4: 0.21}),
    "all kept": selecting(PLAIN, 2, 3, threshold=0.0),
    "none kept": selecting(PLAIN, 2, 3, threshold=1.0),
    "one kept": with_keep_ratios(PLAIN, {3: 1 / 16}),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_read_back_it_is_the_same(name: str, tmp_path: Path) -> None:
    graph = GRAPHS[name]
    path = tmp_path / "small.onnx"
    write_onnx(graph, path)
    found = load(path)
    assert_equal(found, taken_as_imported(graph))
    write_onnx(found, tmp_path / "again.onnx")
    assert_equal(load(tmp_path / "again.onnx"), found)


@pytest.mark.parametrize("name", GRAPHS)
def test_onnxruntime_computes_the_same(name: str, tmp_path: Path) -> None:
    graph = GRAPHS[name]
    path = tmp_path / "small.onnx"
    write_onnx(graph, path)
    i = graph.input
    images = np.random.default_rng(0).integers(0, 256, (5, i.height, i.width, i.channels), np.uint8)
    expected = logits(graph, images)
    found = float_reference(path).logits(images)
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_images_keep_different_tokens_in_onnxruntime() -> None:
    """What the comparison above rests on."""
    counts = {stage.written for image in selections(GRAPHS["selectors"], IMAGES) for stage in image}
    assert len(counts) > 4


def test_the_shipped_model_with_selectors_on_real_images(tmp_path: Path) -> None:
    with as_file(files("hwgen") / "data" / "fashion_vit.onnx") as shipped:
        plain = load(shipped)
    with as_file(files("hwgen") / "data" / "fashion_test.npz") as data:
        images = load_data(data).images[:12]
    write_onnx(plain, tmp_path / "plain.onnx")
    assert_equal(load(tmp_path / "plain.onnx"), plain)
    graph = halving(selecting(plain, 3, 5), images[:4])
    path = tmp_path / "pruned.onnx"
    write_onnx(graph, path)
    found = load(path)
    assert_equal(found, graph)
    assert len({image[0].written for image in selections(found, images)}) > 4
    expected = float_reference(path).logits(images)
    for same in (found, canonicalise(found)):
        difference = np.abs(logits(same, images) - expected).max()
        assert difference < 1e-4 * np.abs(expected).max()


def test_the_same_graph_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_onnx(selecting(PLAIN, 2, 4), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_the_file_says(tmp_path: Path) -> None:
    write_onnx(GRAPHS["classes"], tmp_path / "plain.onnx")
    model = onnx.load(tmp_path / "plain.onnx")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["hwgen.mean"] == metadata["hwgen.std"] == "0.5,0.5,0.5"
    assert metadata["hwgen.classes"].startswith('["a, b", "[c]"')
    assert model.producer_name == "hwgen" and not model.functions
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    write_onnx(GRAPHS["selectors"], tmp_path / "selecting.onnx")
    model = onnx.load(tmp_path / "selecting.onnx")
    assert [(f.domain, f.name) for f in model.functions] == [("hwgen", "TokenSelector")]
    calls = [node for node in model.graph.node if node.domain == "hwgen"]
    assert [node.name for node in calls] == ["selector2", "selector4"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 1
    onnx.checker.check_model(model, full_check=True)


def test_names_that_meet_the_names_of_parts(tmp_path: Path) -> None:
    """A value called as the writer would call an array or a step in between."""
    renames = {"block0.out": "head.weight", "block1.out": "head.out.product"}

    def renamed(op: Op) -> Op:
        changes = {
            field.name: renames[value]
            for field in fields(op)
            if isinstance(value := getattr(op, field.name), str) and value in renames
        }
        return replace(op, **changes)

    graph = replace(PLAIN, ops=tuple(map(renamed, PLAIN.ops)))
    write_onnx(graph, tmp_path / "small.onnx")
    assert_equal(load(tmp_path / "small.onnx"), taken_as_imported(graph))


def test_a_canonical_graph_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError,
        match=r"^small: 'block0.attention.query' cannot be written to ONNX: FusedLinear is an "
        "operation of the passes. Give the graph as it was imported or made, before",
    ):
        write_onnx(canonicalise(PLAIN), tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()


def test_a_token_of_a_token_is_refused(tmp_path: Path) -> None:
    take = TakeToken("again", "class_token", "same", 0)
    graph = replace(PLAIN, ops=(*PLAIN.ops, take), output="same")
    with pytest.raises(ModelError, match="'again' cannot be written .* a token of a single one"):
        write_onnx(graph, tmp_path / "x.onnx")


def test_one_token_on_the_threshold_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token may be kept by onnxruntime and not by hwgen where its score is the threshold; the
    check goes by the image that agrees. Where none does it fails.
    """
    graph = GRAPHS["selectors"]
    path = tmp_path / "small.onnx"
    write_onnx(graph, path)
    reference = FloatReference(path, graph.input)

    def off_by(*amounts: float) -> Callable[[Graph, np.ndarray], np.ndarray]:
        return lambda graph, images: logits(graph, images) * np.array(amounts)[:, None]

    monkeypatch.setattr("hwgen.frontend.importer.logits", off_by(1.2, 1, 1.1))
    check_against_reference(graph, reference)
    monkeypatch.setattr("hwgen.frontend.importer.logits", off_by(1.2, 1.3, 1.1))
    with pytest.raises(ModelError, match=r"differs from onnxruntime by 0\.1 of the largest"):
        check_against_reference(graph, reference)
