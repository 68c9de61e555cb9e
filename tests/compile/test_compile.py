# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from hwgen.compile import compile_model
from hwgen.compile.groups import Batch
from hwgen.compile.layout import choose_layout
from hwgen.compile.rows import row_counts
from hwgen.config import Quantisation
from hwgen.errors import DataError, FitError, ModelError
from hwgen.estimate.cycles import estimate_cycles
from hwgen.golden.interpreter import Interpreter
from hwgen.golden.matmul import unpack_parameters
from hwgen.ir.evaluate import logits
from hwgen.ir.graph import Add, Graph, Linear, TakeToken
from hwgen.passes import canonicalise
from hwgen.presets import SHAPES, VitShape, preset, vit
from hwgen.program.engine import EngineConfig
from hwgen.program.instructions import Attention, Matmul, SetTokens
from hwgen.program.program import Program, decode_image

SHAPE = VitShape(image=16, channels=3, patch=4, width=64, heads=2, blocks=2, classes=7)
ODD = VitShape(image=12, channels=1, patch=3, width=48, heads=3, blocks=1, classes=20, mlp_ratio=3)
SMALL = EngineConfig(lanes=16, max_rows=64, score_depth=64)


def graph(shape: VitShape) -> Graph:
    return canonicalise(vit("test", shape, seed=3))


def images(shape: VitShape, count: int = 6) -> np.ndarray:
    size = (count, shape.image, shape.image, shape.channels)
    return np.random.default_rng(5).integers(0, 256, size, dtype=np.uint8)


def run(program: Program, pixels: np.ndarray) -> np.ndarray:
    beats = program.input.pack(pixels, program.engine.lanes)
    output = program.output.unpack(Interpreter(program).run(beats))
    return output.reshape(-1, program.output.columns)[: len(pixels)]


@pytest.mark.parametrize("shape", [SHAPE, ODD])
@pytest.mark.parametrize("engine", [SMALL, EngineConfig(lanes=32), EngineConfig()])
@pytest.mark.parametrize("power_of_two", [False, True])
def test_integers_follow_the_float_network(
    shape: VitShape, engine: EngineConfig, power_of_two: bool
) -> None:
    settings = Quantisation(power_of_two=power_of_two)
    program = compile_model(graph(shape), images(shape), settings, engine)
    real = logits(graph(shape), images(shape))
    found = run(program, images(shape)) * program.output.scale
    error = np.linalg.norm(found - real) / np.linalg.norm(real)
    assert error < (0.09 if power_of_two else 0.05)


def test_power_of_two_mode_multiplies_by_powers_of_two_only() -> None:
    program = compile_model(
        graph(SHAPE), images(SHAPE), Quantisation(power_of_two=True), EngineConfig()
    )
    multipliers: set[int] = set()
    for op in program.instructions:
        if isinstance(op, Matmul):
            layer = unpack_parameters(program.weights, op, program.engine)
            multipliers |= {int(m) for m in layer.multiplier}
            multipliers |= {op.gelu_multiplier} if op.gelu else set()
        if isinstance(op, Attention):
            multipliers.add(op.score_multiplier)
    assert all(m & (m - 1) == 0 for m in multipliers)


@pytest.mark.parametrize("shape", [SHAPE, ODD])
def test_class_token_only_changes_no_result(shape: VitShape) -> None:
    arguments = (graph(shape), images(shape), Quantisation(), EngineConfig())
    full = compile_model(*arguments)
    short = compile_model(*arguments, class_token_only=True)
    assert (run(full, images(shape)) == run(short, images(shape))).all()
    rows = [op.rows for op in short.instructions if isinstance(op, Matmul) and op.rows]
    assert rows.count(1) == 5  # query, projection, both layers of the perceptron, head


@pytest.mark.parametrize("class_token_only", [False, True])
@pytest.mark.parametrize("tile_rows", [17, 30, 60])
@pytest.mark.parametrize("batch", [2, 3, 4])
def test_batches_give_the_results_of_single_images(
    batch: int, tile_rows: int, class_token_only: bool
) -> None:
    for shape in (SHAPE, ODD):
        arguments = (graph(shape), images(shape), Quantisation(), SMALL)
        one = compile_model(*arguments, class_token_only=class_token_only)
        many = compile_model(
            *arguments, class_token_only=class_token_only, batch=Batch(batch, tile_rows)
        )
        assert (run(many, images(shape, 7)) == run(one, images(shape, 7))).all()
        assert (many.weights == one.weights).all()
        assert many.output.rows == many.input.batch == batch


@pytest.mark.parametrize("class_token_only", [False, True])
@pytest.mark.parametrize("name", ["fashion-vit", "deit-tiny"])
def test_whole_networks_in_batches(name: str, class_token_only: bool) -> None:
    network = canonicalise(preset(name))
    shape = images(SHAPES[name], 4)
    programs = [
        compile_model(
            network,
            shape[:1],
            Quantisation(),
            EngineConfig(),
            class_token_only=class_token_only,
            batch=Batch(size, 100),
        )
        for size in (1, 2, 3, 4)
    ]
    one, *many = (run(program, shape) for program in programs)
    assert all((found == one).all() for found in many)


def test_merged_images_share_a_product_but_no_attention() -> None:
    engine = replace(SMALL, max_rows=128)
    program = compile_model(graph(SHAPE), images(SHAPE), Quantisation(), engine, batch=Batch(4, 60))
    registers = {op.register: op.rows for op in program.instructions if isinstance(op, SetTokens)}
    assert sorted(registers.values()) == [17, 68]
    products = [op for op in program.instructions if isinstance(op, Matmul) and op.rows_register]
    assert {registers[op.rows_register - 1] for op in products} == {68}
    assert len(products) == 2 * 6
    heads = [op for op in program.instructions if isinstance(op, Attention)]
    assert {registers[op.rows_register - 1] for op in heads} == {17}
    assert len(heads) == 2 * 4
    assert "block0.attention of image 3" in program.labels
    assert "block0.mlp.expand of images 0 to 3" in program.labels


@pytest.mark.parametrize(
    "depth", [{"residual_depth": 136}, {"work_depth": 420}, {"value_depth": 130}]
)
def test_images_are_not_merged_beyond_the_buffers(depth: dict[str, int]) -> None:
    arguments = (graph(SHAPE), images(SHAPE), Quantisation())
    tight = replace(SMALL, max_rows=128, **depth)
    one, merged, split = (
        compile_model(*arguments, engine, class_token_only=True, batch=batch)
        for engine, batch in ((tight, Batch()), (SMALL, Batch(4, 34)), (tight, Batch(4, 34)))
    )
    assert len(one.instructions) < len(merged.instructions) < len(split.instructions)
    assert (run(split, images(SHAPE)) == run(one, images(SHAPE))).all()


@pytest.mark.parametrize("class_token_only", [False, True])
def test_deit_base_fits_the_ordinary_engine_in_batches(class_token_only: bool) -> None:
    # All blocks of a network ask for the same room: two are as good as twelve.
    network = canonicalise(vit("base", replace(SHAPES["deit-base"], blocks=2), seed=0))
    rows = row_counts(network, 196, 197)
    layout = choose_layout(network, rows, class_token_only, Batch(4, 100), EngineConfig())
    assert layout.arrangement.groups[-1] == 4
    assert layout.places["embedded"].stride == 200


@pytest.mark.parametrize("batch", [Batch(), Batch(2, 34), Batch(4, 17), Batch(4, 34), Batch(4, 68)])
def test_class_token_only_is_never_slower(batch: Batch) -> None:
    full, short = (
        estimate_cycles(
            compile_model(
                graph(SHAPE), images(SHAPE), Quantisation(), EngineConfig(),
                class_token_only=chosen, batch=batch,
            )
        ).total
        for chosen in (False, True)
    )  # fmt: skip
    assert short <= full


@pytest.mark.parametrize("tile_rows", [17, 34, 68])
def test_two_class_tokens_in_batches(tile_rows: int) -> None:
    """As in a distilled DeiT: the second one lies where the next image is put."""
    one = vit("test", SHAPE, seed=3)
    norm = next(op.output for op in one.ops if op.name == "norm")
    head = next(op for op in one.ops if op.name == "head")
    assert isinstance(head, Linear)
    ops = (
        *one.ops,
        TakeToken("take_second", norm, "second", 1),
        replace(head, name="head2", input="second", output="second.out"),
        Add("both", head.output, "second.out", "sum"),
    )
    network = canonicalise(replace(one, ops=ops, output="sum"))
    arguments = (network, images(SHAPE), Quantisation(), EngineConfig())
    single = run(compile_model(*arguments), images(SHAPE))
    for short in (False, True):
        many = compile_model(*arguments, class_token_only=short, batch=Batch(4, tile_rows))
        assert (run(many, images(SHAPE)) == single).all()


def test_binary_image_decodes_to_the_same_instructions() -> None:
    program = compile_model(graph(SHAPE), images(SHAPE), Quantisation(), EngineConfig())
    assert decode_image(program.image, program.engine) == program.instructions
    assert len(program.labels) == len(program.instructions)


def test_compiling_twice_gives_the_same_bytes() -> None:
    first, second = (
        compile_model(graph(SHAPE), images(SHAPE), Quantisation(), EngineConfig()) for _ in "ab"
    )
    assert (first.image == second.image).all()
    assert (first.weights == second.weights).all()


def test_a_model_too_large_for_a_buffer_is_refused() -> None:
    engine = replace(SMALL, work_depth=100)
    with pytest.raises(
        FitError,
        match=r"^test does not fit the engine: value '.*' \(\d+ rows, \d+ columns\) needs \d+ "
        r"vectors of the work buffer, the engine has 100\. Raise engine\.work_depth",
    ):
        compile_model(graph(SHAPE), images(SHAPE), Quantisation(), engine)


def test_too_many_tokens_for_the_accumulator_or_the_scores_are_refused() -> None:
    with pytest.raises(
        FitError, match=r"has 17 rows; the engine takes 16\. Raise engine\.max_rows"
    ):
        compile_model(graph(SHAPE), images(SHAPE), Quantisation(), replace(SMALL, max_rows=16))
    with pytest.raises(FitError, match=r"need 34 vectors of the score buffer; the engine has 33"):
        compile_model(graph(SHAPE), images(SHAPE), Quantisation(), replace(SMALL, score_depth=33))


def test_empty_calibration_data_is_refused() -> None:
    with pytest.raises(DataError, match="The calibration data holds no images"):
        compile_model(graph(SHAPE), images(SHAPE, 0), Quantisation(), SMALL)


def test_an_exploding_network_is_refused() -> None:
    broken = graph(SHAPE)
    head = broken.ops[-1]
    ops = (*broken.ops[:-1], replace(head, weight=head.weight * np.float32(3e38)))
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(ModelError, match="becomes infinite or NaN on the calibration images"),
    ):
        compile_model(replace(broken, ops=ops), images(SHAPE), Quantisation(), SMALL)


def test_a_graph_without_a_stem_is_refused() -> None:
    whole = graph(SHAPE)
    with pytest.raises(ModelError, match="has 0 patch embeddings and 1 token operations"):
        compile_model(replace(whole, ops=whole.ops[1:]), images(SHAPE), Quantisation(), SMALL)


def test_a_graph_without_a_linear_head_is_refused() -> None:
    whole = graph(SHAPE)
    ops = (*whole.ops, Add("twice", whole.output, whole.output, "sum"))
    with pytest.raises(ModelError, match="ends in value 'sum', which no linear layer makes"):
        compile_model(replace(whole, ops=ops, output="sum"), images(SHAPE), Quantisation(), SMALL)
