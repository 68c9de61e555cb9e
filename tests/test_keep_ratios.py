# SPDX-License-Identifier: Apache-2.0
"""Selectors that keep a given share of the patches, and the names of presets that have them."""

from dataclasses import replace

import numpy as np
import pytest

from hwgen.errors import ModelError
from hwgen.ir.graph import Graph, Tokens, TokenSelector
from hwgen.ir.selections import selections
from hwgen.keep_ratios import parse_keep_ratios, with_keep_ratios
from hwgen.passes import canonicalise
from hwgen.presets import VitShape, preset, vit

PLAIN = vit("small", VitShape(16, 3, 4, 12, 3, 5, 5), seed=1)
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)


def patches_left(graph: Graph, images: np.ndarray) -> set[tuple[int, ...]]:
    found = selections(graph, images)
    return {tuple(int(stage.patches.sum()) for stage in image) for image in found}


@pytest.mark.parametrize(
    "ratios",
    [{2: 1.0}, {2: 1.0, 3: 1.0}, {3: 0.7, 4: 0.39, 5: 0.21}, {5: 0.01}, {2: 0.5, 3: 0.5}],
    ids=str,
)
@pytest.mark.parametrize("seed", [0, 1])
def test_exactly_that_share_stays(ratios: dict[int, float], seed: int) -> None:
    graph = with_keep_ratios(PLAIN, ratios, seed)
    expected = tuple(round(16 * ratio) for ratio in ratios.values())
    assert patches_left(graph, IMAGES) == {expected}
    assert patches_left(canonicalise(graph), IMAGES) == {expected}


def test_every_class_token_stays() -> None:
    embed, tokens, *rest = PLAIN.ops
    assert isinstance(tokens, Tokens)
    two = replace(
        tokens,
        class_token=np.repeat(tokens.class_token, 2, axis=0),
        position=np.concatenate([tokens.position[:1], tokens.position]),
    )
    graph = with_keep_ratios(replace(PLAIN, ops=(embed, two, *rest)), {3: 0.5})
    assert patches_left(graph, IMAGES) == {(8,)}
    assert all(image[0].kept[:2].all() for image in selections(graph, IMAGES))


def test_seeds_give_different_selectors() -> None:
    def weights(seed: int) -> np.ndarray:
        graph = with_keep_ratios(PLAIN, {3: 0.5}, seed)
        (op,) = (op for op in graph.ops if isinstance(op, TokenSelector))
        return op.local_weight

    assert (weights(0) == weights(0)).all()
    assert (weights(0) != weights(1)).any()


def test_a_preset_with_ratios() -> None:
    name = "deit-tiny@4:0.70,7:0.39,10:0.21"
    graph = preset(name)
    assert graph.name == name
    image = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)
    assert patches_left(graph, image) == {(137, 76, 41)}
    plain = preset("deit-tiny")
    assert (graph.ops[0].weight == plain.ops[0].weight).all()
    again = {op.name: op for op in preset(name).ops if isinstance(op, TokenSelector)}
    for op in graph.ops:
        if isinstance(op, TokenSelector):
            assert (op.package, op.heads, op.local_weight.shape) == ("merged", 3, (3, 16, 64))
            assert (op.hidden1_weight == again[op.name].hidden1_weight).all()
    assert list(again) == ["selector4", "selector7", "selector10"]


@pytest.mark.parametrize(
    ("text", "ratios"),
    [("4:0.7", {4: 0.7}), (" 4 : .7 , 12:1", {4: 0.7, 12: 1.0}), ("4:1.,5:0", {4: 1.0, 5: 0.0})],
)
def test_the_form(text: str, ratios: dict[int, float]) -> None:
    assert parse_keep_ratios("x", text) == ratios


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("@", "@: '' is not BLOCK:RATIO. After '@' stand the blocks"),
        ("@4", "@4: '4' is not BLOCK:RATIO."),
        ("@4=0.7", "'4=0.7' is not BLOCK:RATIO. .* as in deit-tiny@4:0.70,7:0.39,10:0.21"),
        ("@4:0.7,", "'' is not BLOCK:RATIO"),
        ("@4:half", "'4:half' is not BLOCK:RATIO"),
        ("@4:nan", "'4:nan' is not BLOCK:RATIO"),
        ("@x:0.7", "'x:0.7' is not BLOCK:RATIO"),
        (f"@{'9' * 5000}:0.7", "is not BLOCK:RATIO"),
        ("@\u0664:0.5", "is not BLOCK:RATIO"),
        ("@4:0.5@5:0.4", "'4:0.5@5:0.4' is not BLOCK:RATIO"),
        ("@5:0.5,4:0.4", "block 4 comes after block 5; name the blocks in rising order"),
        ("@4:0.5,4:0.4", "block 4 comes after block 4; name the blocks in rising order"),
        ("@1:0.5", "front of block 1; before block 1 nothing .* 6 blocks; give blocks from 2 to 6"),
        ("@7:0.5", "cannot stand in front of block 7. The model has 6 blocks; give .* 2 to 6"),
        ("@3:0", "the keep ratio 0 before block 3 is outside the range above 0 and up to 1"),
        ("@3:1.2", "the keep ratio 1.2 before block 3 is outside the range above 0 and up to 1"),
        ("@3:-0.5", "the keep ratio -0.5 before block 3 is outside the range"),
        ("@3:0.5,5:0.6", "rises from 0.5 to 0.6 before block 5. .* give at most 0.5."),
    ],
)
def test_names_that_cannot_be(name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as error:
        preset(f"fashion-vit{name}")
    assert str(error.value).startswith("fashion-vit")


def test_an_unknown_network_with_ratios() -> None:
    with pytest.raises(ModelError, match="no preset 'deit-tny'; .*Did you mean 'deit-tiny'?"):
        preset("deit-tny@4:0.5")
