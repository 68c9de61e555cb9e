# SPDX-License-Identifier: Apache-2.0
import itertools

import pytest

from hwgen.report.parts import PARTS
from hwgen.report.schema import Report
from hwgen.report.tracks import LEFT, RIGHT, WIDTH, draw
from hwgen.sim.timeline import UNITS

STYLES = {part: f"c{index}" for index, part in enumerate(PARTS)}


def test_nothing_to_draw_before_simulation(report: Report) -> None:
    assert draw(report, STYLES) is None


def test_a_track_a_unit_and_a_slice_an_instruction(measured: Report) -> None:
    drawing = draw(measured, STYLES)
    assert drawing is not None
    whole, zoomed = drawing.charts
    for chart in drawing.charts:
        assert [track.name for track in chart.tracks] == list(UNITS.values())
    tracks = {track.name: track.boxes for track in whole.tracks}
    assert len(tracks["array"]) == len(tracks["sequencer"]) == len(measured.instructions)
    assert not tracks["output"]
    for item, box in zip(measured.instructions, tracks["array"], strict=True):
        assert box.style == STYLES[item.part]
        assert f"instruction {item.index}, {item.opcode}" in box.title
        assert item.label in box.title
    assert [band.title for band in whole.bands][:3] == ["embedding", "block 0", "block 1"]
    # One block alone is enlarged, with a little of its neighbours.
    assert drawing.block == "block 3"
    shown = [box for track in zoomed.tracks for box in track.boxes if box.width > 20]
    assert shown
    assert all("block 3" in box.title for box in shown)


def test_everything_lies_in_its_place(measured: Report) -> None:
    drawing = draw(measured, STYLES)
    assert drawing is not None
    for chart in drawing.charts:
        for boxes in (chart.bands, *(track.boxes for track in chart.tracks)):
            assert all(b.x >= LEFT and b.x + b.width <= WIDTH - RIGHT + 0.5 for b in boxes)
            ends = [(b.x, b.x + b.width) for b in boxes]
            assert ends == sorted(ends)
        assert all(LEFT <= x <= WIDTH - RIGHT for x, _ in chart.ticks)
        numbers = [int(text.replace(",", "")) for _, text in chart.ticks]
        assert 3 <= len(numbers) <= 10
        steps = {b - a for a, b in itertools.pairwise(numbers)}
        assert len(steps) == 1
        assert str(steps.pop()).rstrip("0") in ("1", "2", "5")
    upper, lower = drawing.charts
    assert upper.height < lower.top < lower.top + lower.height < drawing.height


def test_widths_are_cycles(measured: Report) -> None:
    drawing, rtl = draw(measured, STYLES), measured.verification.rtl
    assert drawing is not None and rtl is not None
    array = next(t.boxes for t in drawing.charts[0].tracks if t.name == "array")
    scale = (WIDTH - LEFT - RIGHT) / rtl.cycles
    for box, item in zip(array, rtl.instructions, strict=True):
        assert box.width == pytest.approx(item.cycles * scale, abs=1.0)
