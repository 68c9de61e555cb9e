# SPDX-License-Identifier: Apache-2.0
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

import hwgen

Run = Callable[..., Result]


def test_build_writes_and_says_where(run: Run, tmp_path: Path) -> None:
    result = run("build", "preset:fashion-vit", "--board", "zcu102", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "fashion-vit on zcu102" in result.stdout
    assert "images/s" in result.stdout
    assert (tmp_path / "out" / "report.html").is_file()
    assert "is a preset with random weights" in result.stderr


def test_build_takes_a_configuration_and_calibration_data(run: Run, tmp_path: Path) -> None:
    data, config = tmp_path / "data.npz", tmp_path / "hwgen.yaml"
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28), np.uint8)
    np.savez(data, images=images)
    config.write_text("clock_mhz: 200\nquantisation: {power_of_two: true}\n")
    out = tmp_path / "out"
    result = run("build", "preset:fashion-vit", "--config", config, "--calib", data, "-o", out)
    assert result.exit_code == 0, result.output
    opened = hwgen.open_design(out)
    assert opened.report()["clock_mhz"] == 200
    assert opened.config.quantisation.power_of_two


def test_build_takes_a_batch(run: Run, tmp_path: Path) -> None:
    result = run("build", "preset:fashion-vit", "--batch", 2, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "a run of 2 images" in result.stdout
    assert "predicted an image" in result.stdout
    assert hwgen.open_design(tmp_path / "out").config.batch == 2


def test_verify_shows_float_and_int8_side_by_side(run: Run, folder: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
    labels = hwgen.open_design(folder).predict(images).labels
    np.savez(tmp_path / "data.npz", images=images, labels=labels)
    result = run("verify", folder, "--level", "golden", "--data", tmp_path / "data.npz")
    assert result.exit_code == 0, result.output
    assert "float top-1" in result.stdout
    assert "int8 top-1" in result.stdout
    assert "100.00" in result.stdout
    shown = run("report", folder)
    assert "top-1 float" in shown.stdout


def test_verify_without_data_warns(run: Run, folder: Path) -> None:
    result = run("verify", folder, "--images", 1)
    assert result.exit_code == 0, result.output
    assert "No --data: random pixels were used" in result.stderr


def test_verify_by_c_simulation(run: Run, folder: Path) -> None:
    result = run("verify", folder, "--level", "csim", "--images", 1)
    assert result.exit_code == 0, result.output
    assert "C simulation equals the integer reference" in result.stdout


def test_report_shows_the_program_and_the_limits(run: Run, folder: Path) -> None:
    result = run("report", folder)
    assert result.exit_code == 0, result.output
    assert "ATTENTION" in result.stdout
    assert "block 5, MLP down" in result.stdout
    assert "Vitis HLS and Vivado have not been run" in result.stdout
    assert "report.html" in result.stdout.replace("\n", "")


def test_doctor_names_every_tool(run: Run) -> None:
    result = run("doctor")
    assert result.exit_code == 0, result.output
    for tool in ("onnxruntime", "ap_int", "vitis-run", "vitis_hls", "vivado", "ssh", "verilator"):
        assert tool in result.stdout


def test_doctor_says_how_to_get_what_is_missing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    result = run("doctor")
    assert result.exit_code == 0
    assert "apt install g++" in result.stdout


@pytest.mark.parametrize("command", ["build", "verify", "report", "synth", "doctor", "demo"])
def test_help_has_examples(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert f"hwgen {command}" in result.stdout


def test_the_module_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hwgen", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"hwgen {hwgen.__version__}\n"


def test_doctor_finds_the_headers_without_the_compiler(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "g++ 'half")
    result = run("doctor")
    assert result.exit_code == 0
    assert "CXX is no command" in " ".join(result.stdout.split())
    assert re.search(r"ap_int headers +yes", result.stdout)


def test_letters_that_the_output_lacks_do_no_harm(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "ö").symlink_to(folder)
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "hwgen", "report", str(tmp_path / "ö")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "\\xf6" in done.stdout
