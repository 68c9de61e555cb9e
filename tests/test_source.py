# SPDX-License-Identifier: Apache-2.0
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import onnx
import pytest

import hwgen
from hwgen.config import InputSettings
from hwgen.errors import ModelError
from hwgen.frontend import write_onnx
from hwgen.ir.evaluate import logits
from hwgen.presets import preset
from hwgen.source import Source

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), np.uint8)


def test_a_preset_and_a_file_are_told_apart() -> None:
    assert Source.of("preset:deit-tiny") == Source("deit-tiny", None)
    assert Source.of("models/vit.onnx") == Source("vit", Path("models/vit.onnx"))
    assert Source.of("preset:deit-tiny").recorded == "preset:deit-tiny"
    assert Source.of("models/vit.onnx").recorded == "model.onnx"


def test_a_file_is_copied_as_it_is(tmp_path: Path) -> None:
    with as_file(files("hwgen") / "data" / "fashion_vit.onnx") as path:
        assert Source.of(path).copy() == {"model.onnx": path}
        hwgen.build(path, calibration=IMAGES).write(tmp_path / "out")
        assert (tmp_path / "out" / "model.onnx").read_bytes() == path.read_bytes()
    opened = hwgen.open_design(tmp_path / "out")
    assert opened.report()["source"] == "model.onnx"
    assert opened.report()["model"] == "fashion_vit"
    assert opened.verify(images=2).fidelity.images == 2


def test_weights_in_another_file_are_taken_in(tmp_path: Path) -> None:
    with as_file(files("hwgen") / "data" / "fashion_vit.onnx") as path:
        model = onnx.load(path)
    split = tmp_path / "split.onnx"
    onnx.save(model, split, save_as_external_data=True, location="weights.bin")
    content = Source.of(split).copy()["model.onnx"]
    assert isinstance(content, bytes)
    (tmp_path / "whole.onnx").write_bytes(content)
    (tmp_path / "weights.bin").unlink()
    design = hwgen.build(tmp_path / "whole.onnx", calibration=IMAGES)
    assert design.summary.parameters > 500_000


def test_a_missing_file_is_the_first_thing_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no such file"):
        hwgen.build(tmp_path / "no.onnx")


def test_a_preset_with_keep_ratios_is_opened_again(tmp_path: Path) -> None:
    name = "preset:fashion-vit@3:0.6,5:0.3"
    assert Source.of(name) == Source("fashion-vit@3:0.6,5:0.3", None)
    built = hwgen.build(name, calibration=IMAGES)
    built.write(tmp_path / "out")
    assert not (tmp_path / "out" / "model.onnx").exists()
    opened = hwgen.open_design(tmp_path / "out")
    assert opened.report()["source"] == name
    assert opened.verify(images=2).fidelity.images == 2


def test_a_file_with_token_selectors_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "pruned.onnx"
    graph = preset("fashion-vit@3:0.6,5:0.3")
    write_onnx(graph, path)
    source = Source.of(path)
    settings = InputSettings()
    assert source.copy() == {"model.onnx": path}
    found = source.float_logits(settings)(IMAGES)
    expected = logits(graph, IMAGES)
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
    hwgen.build(path, calibration=IMAGES).write(tmp_path / "out")
    opened = hwgen.open_design(tmp_path / "out")
    assert opened.report()["model"] == "pruned"
    assert opened.verify(images=2).fidelity.images == 2
