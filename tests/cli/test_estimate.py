# SPDX-License-Identifier: Apache-2.0
"""``hwgen estimate``; tests/synthesis has the synthesis itself."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import hwgen
from hwgen.estimate.resources import predict_resources
from hwgen.estimate.usage import Resources, Usage
from hwgen.program.engine import EngineConfig
from hwgen.progress import Progress
from hwgen.synthesis import yosys
from hwgen.synthesis.delay import Delay
from hwgen.synthesis.engine import Synthesis
from hwgen.synthesis.paths import Path as LogicPath

Run = Callable[..., Result]


@pytest.fixture
def design(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "250")
    hwgen.build("preset:fashion-vit").write(tmp_path / "out")
    return tmp_path / "out"


def synthesis(factor: int, delay: Delay) -> Callable[[EngineConfig, Progress], Synthesis]:
    """A synthesis that finds ``factor`` times the predicted LUTs, and one path everywhere."""

    def run(engine: EngineConfig, progress: Progress) -> Synthesis:
        progress("synthesising", 1, 2)
        modules = {
            name: Usage(u.lut * factor, u.ff, u.dsp, u.bram36)
            for name, u in predict_resources(engine).modules.items()
        }
        path = LogicPath(delay, "core.issuer", "core.loader", ("free", "tile_ready"))
        return Synthesis(Resources(modules), dict.fromkeys(modules, path))

    return run


def test_predictions_alone(run: Run, design: Path) -> None:
    result = run("estimate", design)
    assert result.exit_code == 0, result.output
    report = hwgen.open_design(design).summary
    assert f"{report.cycles.predicted:,}" in result.stdout
    assert f"{report.resources.predicted.lut:,}" in result.stdout
    assert "limit of zcu102" in result.stdout
    assert "Yosys" not in result.stdout


def test_tokens_of_a_network_that_selects_them(run: Run, tmp_path: Path) -> None:
    design = hwgen.build("preset:fashion-vit@3:0.6")
    design.write(tmp_path / "pruned")
    text = " ".join(run("estimate", tmp_path / "pruned").stdout.split())
    cycles = f"{design.summary.cycles.predicted:,}"
    assert "Tokens: 197 rows, then 120 (120 to 120), on average over 4 images" in text
    assert f"{cycles} cycles predicted on average, {cycles} at most; selectors take" in text


def test_synthesis_beside_the_prediction(
    run: Run, design: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwgen.design.synthesise_engine", synthesis(1, Delay(5, 1)))
    result = run("estimate", design, "--synth")
    assert result.exit_code == 0, result.output
    assert "5 LUT + 1 carry" in result.stdout
    assert "+0.0%" in result.stdout
    assert "Within the limits" in result.stdout

    yosys_report = hwgen.open_design(design).report()["resources"]["yosys"]
    array = next(module for module in yosys_report["modules"] if module["name"] == "array")
    assert (array["dsp"], array["luts"], array["carry_chains"]) == (2048, 5, 1)
    assert array["path"] == "free -> tile_ready"
    assert array["allowed"] is True
    # It stays, and is shown without another synthesis.
    assert "Within the limits" in run("estimate", design).stdout


def test_what_is_beyond_the_limits_is_named(
    run: Run, design: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwgen.design.synthesise_engine", synthesis(5, Delay(7)))
    result = run("estimate", design, "--synth")
    assert result.exit_code == 0, result.output
    assert "-80.0%" in result.stdout
    assert "Beyond the limits: too many LUT; paths too long: array (7 LUT, free" in result.stdout


def test_a_missing_yosys_is_an_error_with_a_remedy(
    run: Run, design: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yosys, "PACKAGE", "no-such-package")
    result = run("estimate", design, "--synth")
    assert result.exit_code == 2
    assert "pip install 'hwgen[rtl]'" in result.stderr
    assert "Traceback" not in result.stderr
