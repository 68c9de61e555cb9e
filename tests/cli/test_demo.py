# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import Result

import hwgen
from hwgen.cli import demo
from hwgen.data_files import Data, load_data

Run = Callable[..., Result]


def test_demo_does_everything(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def few(path: Path) -> Data:
        return load_data(path).first(24)

    monkeypatch.setattr(demo, "load_data", few)
    out = tmp_path / "demo"
    result = run("demo", "-o", out, "--images", 2)
    assert result.exit_code == 0, result.output
    assert "C simulation equals the integer reference" in result.stdout
    assert "int8 top-1" in result.stdout
    assert "demo.png" in result.stdout.replace("\n", "")
    with Image.open(out / "demo.png") as image:
        assert image.width > 1000
    report = hwgen.open_design(out).report()
    assert report["fidelity"]["images"] == 24
    assert report["fidelity"]["float"] > 0.6
    assert abs(report["fidelity"]["float"] - report["fidelity"]["quantised"]) < 0.1
    assert report["verification"]["csim"]["images"] == 2
    assert (out / "model.onnx").is_file()
    assert run("demo", "-o", out, "--images", 1).exit_code == 0  # its own folder is replaced


def test_demo_refuses_a_folder_of_something_else(run: Run, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    result = run("demo", "-o", tmp_path)
    assert result.exit_code == 2
    assert "thesis.txt" in result.stderr
