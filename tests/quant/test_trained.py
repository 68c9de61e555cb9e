# SPDX-License-Identifier: Apache-2.0
"""The quantisation of a trained model travels in its file and is used as it is."""

import json
from pathlib import Path

import numpy as np
import pytest

from hwgen.compile import compile_scaled
from hwgen.config import Config, Quantisation
from hwgen.design import build
from hwgen.errors import ConfigError, ModelError
from hwgen.frontend import load
from hwgen.frontend.write import write_onnx
from hwgen.ir.graph import Graph
from hwgen.keep_ratios import with_keep_ratios
from hwgen.passes import canonicalise
from hwgen.presets import VitShape, vit
from hwgen.program.engine import EngineConfig
from hwgen.quant.calibrate import calibrate
from hwgen.quant.scales import Scales, choose_scales
from hwgen.quant.trained import KEY, TrainedQuantisation

SETTINGS = Quantisation(power_of_two=True, gelu_delta=0.5, softmax_delta=0.5)


def network() -> Graph:
    return with_keep_ratios(vit("test", VitShape(16, 3, 4, 64, 4, 2, 5), seed=1), {2: 0.5})


def images() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (4, 16, 16, 3), np.uint8)


@pytest.fixture
def scales() -> Scales:
    """Not those of calibration: all of them are twice as large."""
    canonical = canonicalise(network())
    found = choose_scales(canonical, calibrate(canonical, images()), SETTINGS)
    fixed = {canonical.input.name, *(n for n, s in found.values.items() if n.endswith("scores"))}
    values = {name: s if name in fixed else 2 * s for name, s in found.values.items()}
    return Scales(values, found.normalised, found.scores)


@pytest.fixture
def model(scales: Scales, tmp_path: Path) -> Path:
    trained = TrainedQuantisation.of(canonicalise(network()), scales, SETTINGS)
    write_onnx(network(), tmp_path / "test.onnx", {KEY: trained.text()})
    return tmp_path / "test.onnx"


def test_text_comes_back_exactly(scales: Scales) -> None:
    canonical = canonicalise(network())
    trained = TrainedQuantisation.of(canonical, scales, SETTINGS)
    again = TrainedQuantisation.parse(trained.text(), "x")
    assert again == trained
    assert again.scales(canonical) == scales
    assert again.applied(Quantisation(percentile=99.0)) == SETTINGS.model_copy(
        update={"percentile": 99.0}
    )


def test_build_takes_the_scales_of_the_file(model: Path, scales: Scales) -> None:
    design = build(model, calibration=images())
    settings = Quantisation(**SETTINGS.model_dump())
    expected = compile_scaled(canonicalise(network()), scales, settings, EngineConfig())
    assert design.program.output.scale == scales.values[network().output]
    assert (design.program.weights == expected.weights).all()
    assert design.config.quantisation.gelu_delta == 0.5
    assert design.program.instructions == expected.instructions


def test_another_mode_than_that_of_the_training_is_refused(model: Path) -> None:
    config = Config(quantisation=Quantisation(gelu_delta=1.0))
    with pytest.raises(
        ConfigError,
        match=r"^quantisation\.gelu_delta is 1\.0, but the model was trained in integers with "
        r"0\.5\. Leave it out of the configuration\.$",
    ):
        build(model, config=config, calibration=images())


def test_scales_of_another_network_are_refused(scales: Scales) -> None:
    trained = TrainedQuantisation.of(canonicalise(network()), scales, SETTINGS)
    other = canonicalise(vit("other", VitShape(16, 3, 4, 64, 4, 2, 5), seed=1))
    with pytest.raises(
        ModelError, match=rf"^The metadata {KEY} of other does not fit its operations"
    ):
        trained.scales(other)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: "nothing", "Expecting value"),
        (lambda d: json.dumps([]), "it must hold settings, outputs, normalised, scores"),
        (
            lambda d: json.dumps({k: v for k, v in d.items() if k != "scores"}),
            "it must hold settings",
        ),
        (lambda d: json.dumps(d | {"more": 1}), "it must hold settings"),
        (
            lambda d: json.dumps(d | {"scores": {"a": -1.0}}),
            "scales must be positive numbers by name",
        ),
        (
            lambda d: json.dumps(d | {"scores": {"a": "b"}}),
            "scales must be positive numbers by name",
        ),
        (lambda d: json.dumps(d | {"scores": []}), "scales must be positive numbers by name"),
        (
            lambda d: json.dumps(d | {"settings": {"gelu_delta": 0.5}}),
            "settings must hold power_of",
        ),
        (
            lambda d: json.dumps(d | {"settings": d["settings"] | {"gelu_delta": 2}}),
            "validation er",
        ),
    ],
)
def test_damaged_metadata_is_refused(scales: Scales, change: object, reason: str) -> None:
    trained = TrainedQuantisation.of(canonicalise(network()), scales, SETTINGS)
    text = change(json.loads(trained.text()))  # type: ignore[operator]
    with pytest.raises(
        ModelError, match=rf"^x\.onnx: metadata {KEY} cannot be read \(.*({reason})"
    ):
        TrainedQuantisation.parse(text, "x.onnx")


def test_the_file_still_loads_as_any_other(model: Path) -> None:
    assert [op.name for op in load(model).ops] == [op.name for op in network().ops]
