# SPDX-License-Identifier: Apache-2.0
"""Each mistake gets one message on standard error, exit code 2, and leaves nothing behind."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from typer.testing import Result

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def model() -> Iterator[onnx.ModelProto]:
    """The shipped model."""
    with as_file(files("hwgen") / "data" / "fashion_vit.onnx") as path:
        yield onnx.load(path)


@pytest.fixture
def calibration(tmp_path: Path) -> Path:
    path = tmp_path / "calibration.npz"
    np.savez(path, images=np.zeros((2, 28, 28), np.uint8))
    return path


def refused(result: Result) -> str:
    """The one paragraph, after the checks that hold for every mistake."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.stderr.count("error: ") >= 1
    message = result.stderr[result.stderr.index("error: ") :].strip()
    assert "\n\n" not in message
    return message


@contextmanager
def nothing_written(folder: Path) -> Iterator[None]:
    """Nothing appears in ``folder``."""
    before = sorted(folder.rglob("*"))
    yield
    assert sorted(folder.rglob("*")) == before


def build(run: Run, path: Path, calibration: Path) -> str:
    with nothing_written(path.parent):
        return refused(run("build", path, "--calib", calibration, "-o", path.parent / "out"))


def saved(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def changed(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def test_a_missing_model(run: Run, tmp_path: Path) -> None:
    with nothing_written(tmp_path):
        message = refused(run("build", tmp_path / "no.onnx", "-o", tmp_path / "out"))
    assert "no.onnx: there is no such file" in message


def test_a_model_cut_short(
    run: Run, model: onnx.ModelProto, tmp_path: Path, calibration: Path
) -> None:
    path = tmp_path / "short.onnx"
    path.write_bytes(model.SerializeToString()[:-1000])
    assert "is not an ONNX file, or it is cut short" in build(run, path, calibration)


def test_a_file_that_is_no_model(run: Run, tmp_path: Path, calibration: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("hello")
    assert "ONNX" in build(run, path, calibration)


def test_a_wrong_operator_set(
    run: Run, model: onnx.ModelProto, tmp_path: Path, calibration: Path
) -> None:
    old = changed(model)
    for entry in old.opset_import:
        entry.version = 9
    message = build(run, saved(old, tmp_path / "old.onnx"), calibration)
    assert "version 9 of the ONNX operator set" in message


def test_a_dynamic_height(
    run: Run, model: onnx.ModelProto, tmp_path: Path, calibration: Path
) -> None:
    dynamic = changed(model)
    dynamic.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    message = build(run, saved(dynamic, tmp_path / "dynamic.onnx"), calibration)
    assert "the height of input" in message


def test_an_unsupported_node(
    run: Run, model: onnx.ModelProto, tmp_path: Path, calibration: Path
) -> None:
    strange = changed(model)
    node = next(node for node in strange.graph.node if node.op_type == "Softmax")
    node.op_type = "Hardmax"
    message = build(run, saved(strange, tmp_path / "strange.onnx"), calibration)
    assert "Hardmax" in message
    assert node.name in message


def test_weights_that_are_not_finite(
    run: Run, model: onnx.ModelProto, tmp_path: Path, calibration: Path
) -> None:
    broken = changed(model)
    tensor = max(broken.graph.initializer, key=lambda t: len(t.raw_data))
    array = numpy_helper.to_array(tensor).copy()
    array.flat[3] = np.nan
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    message = build(run, saved(broken, tmp_path / "broken.onnx"), calibration)
    assert f"initializer '{tensor.name}'" in message
    assert "not finite" in message


def test_no_calibration_data(run: Run, model: onnx.ModelProto, tmp_path: Path) -> None:
    path = saved(model, tmp_path / "vit.onnx")
    with nothing_written(tmp_path):
        message = refused(run("build", path, "-o", tmp_path / "out"))
    assert "vit.onnx needs calibration images" in message
    assert "--calib DATA.npz" in message


def test_calibration_data_of_another_shape_or_empty(
    run: Run, model: onnx.ModelProto, tmp_path: Path
) -> None:
    path, data = saved(model, tmp_path / "vit.onnx"), tmp_path / "data.npz"
    np.savez(data, images=np.zeros((2, 32, 32, 3), np.uint8))
    assert "vit takes uint8 of shape (N, 28, 28, 1)" in build(run, path, data)
    np.savez(data, images=np.zeros((0, 28, 28), np.uint8))
    assert "holds no images" in build(run, path, data)


def test_an_unknown_board(run: Run, tmp_path: Path) -> None:
    with nothing_written(tmp_path):
        result = run("build", "preset:fashion-vit", "--board", "zcu10", "-o", tmp_path / "out")
    message = refused(result)
    assert "There is no board 'zcu10'" in message
    assert "zcu102" in message


def test_an_unknown_configuration_key(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "hwgen.yaml"
    config.write_text("engine:\n  lane: 32\n")
    with nothing_written(tmp_path):
        result = run("build", "preset:fashion-vit", "--config", config, "-o", tmp_path / "out")
    assert "unknown key 'lane' in section 'engine'. Did you mean 'lanes'?" in refused(result)


def test_a_model_that_does_not_fit(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "hwgen.yaml"
    config.write_text("engine: {work_depth: 300}\n")
    with nothing_written(tmp_path):
        result = run("build", "preset:fashion-vit", "--config", config, "-o", tmp_path / "out")
    assert "engine.work_depth" in refused(result)


def test_an_engine_that_does_not_fit(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "hwgen.yaml"
    config.write_text("engine: {work_depth: 65535}\n")
    with nothing_written(tmp_path):
        result = run("build", "preset:fashion-vit", "--config", config, "-o", tmp_path / "out")
    message = refused(result)
    assert "does not fit zcu102" in message
    assert "engine.work_depth" in message


def test_an_output_folder_that_holds_something_else(run: Run, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with nothing_written(tmp_path):
        message = refused(run("build", "preset:fashion-vit", "-o", tmp_path))
    assert "holds files that hwgen did not write: thesis.txt. Nothing was written." in message
    assert run("build", "preset:fashion-vit", "-o", tmp_path, "--force").exit_code == 0
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_an_edited_file_in_the_output_folder(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("build", "preset:fashion-vit", "-o", out).exit_code == 0
    assert run("build", "preset:fashion-vit", "-o", out).exit_code == 0
    (out / "hls" / "run.tcl").write_text("my own")
    with nothing_written(tmp_path):
        message = refused(run("build", "preset:fashion-vit", "-o", out))
    assert "hls/run.tcl" in message
    assert (out / "hls" / "run.tcl").read_text() == "my own"


def test_an_output_that_is_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    message = refused(run("build", "preset:fashion-vit", "-o", tmp_path / "out"))
    assert "out is a file. Name a folder to write to." in message


def test_no_compiler(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    message = refused(run("verify", folder, "--level", "csim", "--images", 1))
    assert "g++ is not on PATH. Install it" in message


def test_a_folder_that_is_no_design(run: Run, tmp_path: Path) -> None:
    for command in ("report", "verify"):
        assert "is no folder that hwgen wrote" in refused(run(command, tmp_path))


def test_a_damaged_program(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("build", "preset:fashion-vit", "-o", out).exit_code == 0
    weights = out / "program" / "weights.bin"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert "weights.bin" in refused(run("report", out))


def test_test_data_that_does_not_exist(run: Run, folder: Path, tmp_path: Path) -> None:
    message = refused(run("verify", folder, "--data", tmp_path / "no.npz"))
    assert "no.npz does not exist" in message


def test_an_output_whose_name_the_system_refuses(run: Run, tmp_path: Path) -> None:
    with nothing_written(tmp_path):
        message = refused(run("build", "preset:fashion-vit", "-o", tmp_path / ("x" * 300)))
    assert "Name another place" in message


def test_an_empty_board_name(run: Run, tmp_path: Path) -> None:
    with nothing_written(tmp_path):
        result = run("build", "preset:fashion-vit", "--board", "", "-o", tmp_path / "out")
    assert "There is no board ''" in refused(result)


def test_class_names_that_are_no_list(
    run: Run, model: onnx.ModelProto, tmp_path: Path, calibration: Path
) -> None:
    named = changed(model)
    del named.metadata_props[:]
    named.metadata_props.add(key="hwgen.classes", value='["cat", "dog')
    message = build(run, saved(named, tmp_path / "named.onnx"), calibration)
    assert "named.onnx: metadata hwgen.classes begins like a JSON list and is none" in message
