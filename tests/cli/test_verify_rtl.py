# SPDX-License-Identifier: Apache-2.0
"""``hwgen verify --level rtl`` from the shipped model to a report with measured cycles."""

import json
from collections.abc import Callable, Iterator
from importlib.resources import as_file, files
from pathlib import Path

import pytest
from typer.testing import Result

import hwgen
from hwgen.config import Config
from hwgen.sim import rtl_build, verilator

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model on an engine of 16 lanes, which compiles soon."""
    path = tmp_path_factory.mktemp("rtl") / "out"
    config = Config.model_validate({"engine": {"lanes": 16}})
    with as_file(files("hwgen") / "data") as data:
        calibration = data / "fashion_calibration.npz"
        hwgen.build(data / "fashion_vit.onnx", config=config, calibration=calibration).write(path)
    return path


@pytest.fixture(autouse=True)
def _compiled_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtl_build, "_OPTIMISE", "-O1")


@pytest.fixture(scope="module")
def images() -> Iterator[Path]:
    with as_file(files("hwgen") / "data" / "fashion_test.npz") as path:
        yield path


def test_from_image_to_logits(run: Run, small: Path, images: Path) -> None:
    command = ("verify", small, "--level", "rtl", "--images", 2, "--data", images, "--trace")
    result = run(*command)
    assert result.exit_code == 0, result.output
    assert "RTL simulation equals the integer reference, bit for bit" in result.stdout
    report = hwgen.open_design(small).summary
    rtl = report.verification.rtl
    assert rtl is not None
    assert (rtl.images, rtl.array) == (2, "faithful")
    # The engine's own counter, the trace and the sum over all instructions are one figure.
    assert report.cycles.measured == rtl.cycles == sum(i.cycles for i in rtl.instructions)
    assert rtl.busy + sum(rtl.stalls.values()) == rtl.cycles
    assert abs(report.cycles.predicted / rtl.cycles - 1) < 0.05
    assert rtl.slowest == rtl.cycles
    assert rtl.fps["300"] == pytest.approx(300e6 / rtl.cycles)
    assert f"{rtl.cycles:,}" in result.stdout
    events = json.loads((small / "trace.json").read_text())["traceEvents"]
    drawn = [event for event in events if event["ph"] == "X"]
    assert len(drawn) == len(rtl.timeline)
    assert max(e["args"]["last"] for e in drawn) < rtl.cycles

    shown = run("report", small).stdout
    assert f"{rtl.cycles:,} measured" in shown
    assert "off by" in shown
    assert "has not confirmed" not in shown
    page = (small / "report.html").read_text()
    assert 'class="drawing"' in page
    assert "has not confirmed" not in page


def test_cycles_follow_the_tokens_of_the_run(run: Run, tmp_path: Path, small: Path) -> None:
    folder = tmp_path / "pruned"
    config = Config.model_validate({"engine": {"lanes": 16}})
    hwgen.build("preset:fashion-vit@2:0.3,4:0.1", config=config).write(folder)
    result = run("verify", folder, "--level", "rtl", "--images", 1)
    assert result.exit_code == 0, result.output
    report = hwgen.open_design(folder).summary
    rtl, pruning = report.verification.rtl, report.pruning
    assert rtl is not None and pruning is not None
    (measured,) = rtl.runs
    # 59 and 20 patches stay, beside the class token and a package token.
    assert measured.rows == (61, 22)
    assert measured.measured == rtl.cycles == report.cycles.measured
    assert measured.predicted == report.cycles.predicted
    assert abs(measured.predicted / rtl.cycles - 1) < 0.05
    assert rtl.cycles < 0.5 * hwgen.open_design(small).summary.cycles.predicted
    assert "61 (61 to 61), then 22 (22 to 22)" in " ".join(run("report", folder).stdout.split())


def test_damaged_rtl_is_named(run: Run, small: Path, images: Path) -> None:
    command = ("verify", small, "--level", "rtl", "--images", 1, "--data", images)
    edited = small / "rtl" / "kernels" / "fifo.sv"
    kept = edited.read_text()
    edited.write_text(kept.replace("endmodule", "oops endmodule"))
    result = run(*command)
    assert result.exit_code == 2
    assert "Its first complaint:" in result.stderr
    assert "kernels/fifo.sv" in result.stderr
    edited.unlink()
    result = run(*command)
    assert result.exit_code == 2
    assert "holds no complete RTL project (fifo.sv" in result.stderr
    edited.write_text(kept)


@pytest.mark.parametrize("option", ["--trace", "--waves", "--twin"])
@pytest.mark.parametrize("level", ["golden", "csim"])
def test_options_of_rtl_simulation_alone(run: Run, small: Path, option: str, level: str) -> None:
    result = run("verify", small, "--level", level, option)
    assert result.exit_code == 2
    assert f"{option} is for RTL simulation; this is --level {level}" in result.stderr
    assert "Traceback" not in result.stderr


def test_no_verilator(
    run: Run, small: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(verilator.sysconfig, "get_paths", lambda: {"purelib": str(tmp_path)})
    which = verilator.shutil.which
    monkeypatch.setattr(
        verilator.shutil, "which", lambda name: None if name == "verilator" else which(name)
    )
    result = run("verify", small, "--level", "rtl", "--images", 1)
    assert result.exit_code == 2
    assert "RTL simulation needs Verilator" in result.stderr
    assert "pip install" in result.stderr
    assert "RTL simulation needs Verilator" in " ".join(run("doctor").stdout.split())
