# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import measure, page
from bench.cases import CASES, Case
from hwgen.progress import silent

RESULT = {
    "batch": 1,
    "predicted": 330_000,
    "cycles": 331_000,
    "utilisation": 0.92,
    "stalls": {"tile_load": 3310, "issue": 10},
    "array": "faithful",
    "memory": "42 bytes a cycle",
    "seconds": 20.0,
}


def test_the_page_says_what_is_ours_and_what_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("anchors.yaml", "results.md.j2", "results.svg.j2"):
        (tmp_path / name).write_bytes((page.FOLDER / name).read_bytes())
    monkeypatch.setattr(page, "FOLDER", tmp_path)
    page.write({"DeiT-Tiny": RESULT})
    text, drawing = ((tmp_path / name).read_text() for name in ("results.md", "results.svg"))
    assert "**hwgen's figures are no board's.**" in text
    assert "| DeiT-Tiny | 331,000 | 330,000 | -0.3% | 92.0% | 453.2 | 604.2 | 906.3 |" in text
    assert "| DeiT-Tiny | 1.0% | tile load 1.0% |" in text
    assert "RTL simulation at assumed clocks, not a board" in drawing
    # The legend's box, and a bar for each clock, are hatched; published bars are not.
    assert drawing.count('fill="url(#hatch)"') == 1 + 3
    page.write({"DeiT-Tiny": RESULT})
    assert (tmp_path / "results.svg").read_text() == drawing


def test_only_stale_results_are_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def verify(*arguments: object, **options: object) -> None:
        raise RuntimeError("simulated")

    instruction = SimpleNamespace(stalls={"issue": 8})
    cycles = SimpleNamespace(predicted=12)
    summary = SimpleNamespace(cycles=cycles, instructions=[instruction, instruction], macs=34)
    design = SimpleNamespace(summary=summary, verify=verify)
    monkeypatch.setattr(Case, "build", lambda self, progress: design)
    monkeypatch.setattr(Case, "digest", lambda self, design: "now")
    found = measure.measure(CASES[0], RESULT | {"digest": "now"}, silent)
    assert (found["cycles"], found["predicted"], found["macs"]) == (331_000, 12, 34)
    assert found["predicted_stalls"] == {"issue": 16}
    for known in (RESULT | {"digest": "before"}, None):
        with pytest.raises(RuntimeError, match="simulated"):
            measure.measure(CASES[0], known, silent)


def test_pruned_networks_stand_beside_their_dense_ones() -> None:
    case = next(case for case in CASES if case.name == "DeiT-Tiny, pruned")
    dense = RESULT | {"cycles": 300_000, "macs": 1000}
    ours = RESULT | {"cycles": 198_000, "macs": 600, "selectors": 5_940}
    row = page.pruned(case, {"DeiT-Tiny": dense, "DeiT-Tiny, pruned": ours})
    assert (row["cycles"], row["limit"], row["within"]) == (198_000, "205,000", "yes")
    assert (row["share"], row["work"]) == ("66.0%", "60.0%")
    assert (row["ratio"], row["ratio_within"]) == ("1.100", "yes")
    assert (row["selectors"], row["selectors_within"]) == ("3.0%", "yes")
    slower = ours | {"cycles": 210_000, "selectors": 7_000}
    row = page.pruned(case, {"DeiT-Tiny": dense, "DeiT-Tiny, pruned": slower})
    missed = ("**no**", "**no**", "**no**")
    assert (row["within"], row["ratio_within"], row["selectors_within"]) == missed


def test_limits_are_those_of_the_networks() -> None:
    pruned = {case.name: case for case in CASES if case.dense}
    names = {case.name: case for case in CASES}
    assert len(pruned) == 6
    for case in pruned.values():
        assert names[case.dense].batch == case.batch
        assert case.model.startswith(names[case.dense].model + "@")


def test_instructions_of_selectors_are_counted() -> None:
    places = ("selector", "attention", "selector")
    report = SimpleNamespace(instructions=[SimpleNamespace(part=part) for part in places])
    found = SimpleNamespace(instructions=[SimpleNamespace(cycles=n) for n in (3, 100, 4)])
    assert measure.selector_cycles(report, found) == 7


def test_results_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "RESULTS", tmp_path / "results.json")
    assert measure.load() == {}
    measure.save({"a": {"cycles": 1}})
    assert measure.load() == {"a": {"cycles": 1}}
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]
