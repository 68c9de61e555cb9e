# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from hwgen.report.keys import keys
from hwgen.report.schema import Report

PROMISED = (
    "model",
    "board",
    "config_digest",
    "tool_versions",
    "macs",
    "parameters",
    "cycles.predicted",
    "cycles.measured",
    "clock_mhz",
    "mac_utilisation",
    *(f"resources.{kind}.{name}" for kind in ("predicted", "synth") for name in ("lut", "ff")),
    *(f"resources.{kind}.{name}" for kind in ("predicted", "synth") for name in ("dsp", "bram36")),
    *(f"fidelity.{name}" for name in ("metric", "float", "quantised", "images")),
    "instructions",
)


@pytest.mark.parametrize("path", PROMISED)
def test_every_promised_key_is_there(report: Report, path: str) -> None:
    value = json.loads(report.to_json())
    for key in path.split("."):
        assert key in value
        value = value[key]


def test_every_key_has_a_meaning() -> None:
    assert not [key for key, _, meaning in keys(Report) if not meaning]


def test_what_is_unknown_is_null(report: Report) -> None:
    assert report.cycles.measured is None
    assert set(vars(report.resources.synth).values()) == {None}
    assert set(vars(report.fidelity).values()) == {None}
    assert report.verification.csim is None


def test_the_file_reads_back(report: Report) -> None:
    assert Report.model_validate_json(report.to_json()) == report


def test_figures_fit_together(report: Report) -> None:
    cycles = report.cycles.predicted
    assert sum(item.cycles for item in report.instructions) == cycles
    assert report.fps == pytest.approx(300e6 / cycles)
    assert report.latency_ms == pytest.approx(1000 / report.fps)
    assert report.mac_utilisation == pytest.approx(report.macs / cycles / 4096)
    assert sum(item.macs for item in report.instructions) >= report.macs
    for name in ("lut", "ff", "dsp", "bram36"):
        parts = sum(getattr(module, name) for module in report.resources.modules)
        assert parts == getattr(report.resources.predicted, name)
