# SPDX-License-Identifier: Apache-2.0
"""The timeline of a run as a drawing: a track for each unit, the whole run and one block of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from hwgen.report.schema import Report, RtlResult, TimelineSlice
from hwgen.sim.timeline import UNITS

WIDTH, LEFT, RIGHT = 1072.0, 118.0, 4.0
"""Of the drawing, and the margins of its tracks; names of units stand in the left one."""
TRACK, GAP, HEAD = 17.0, 4.0, 20.0
"""Heights of a track, of the gap below it, and of the blocks' names above the tracks."""
AXIS, LENS = 22.0, 26.0
"""Heights of the axis below the tracks, and of the space between the two charts."""
LETTER, LETTERS = 6.3, 14.0
"""Width of a letter, at the most, and height of a line of them."""
MOST_TICKS = 9
THINNEST, SEAM = 0.35, 0.8
"""Width of the shortest slice, and between two slices that are not short."""


@dataclass(frozen=True)
class Box:
    """A rectangle: a colour class, what its tooltip says, and the name that fits into it."""

    x: float
    width: float
    style: str
    title: str = ""
    name: str = ""

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


@dataclass(frozen=True)
class Track:
    """What one unit did; ``y`` counts from the top of its chart."""

    name: str
    y: float
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Chart:
    """Tracks over a window of cycles.

    Attributes:
        top: in the drawing; all below counts from there.
        height: of the tracks with the names above them.
        axis: base line of the numbers below them.
        bands: the blocks, behind all tracks.
        ticks: places and numbers of the axis.
    """

    top: float
    height: float
    axis: float
    bands: tuple[Box, ...]
    tracks: tuple[Track, ...]
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Drawing:
    """The whole run above one block of it.

    Attributes:
        block: its name.
        lens, beam: SVG paths: the block in the whole run, and from there to where it is enlarged.
    """

    height: float
    charts: tuple[Chart, ...]
    block: str
    lens: str
    beam: str
    width: float = WIDTH
    left: float = LEFT
    right: float = WIDTH - RIGHT


@dataclass(frozen=True)
class _Window:
    """Cycles from ``first`` on, drawn between the margins."""

    first: int
    cycles: int

    def place(self, cycle: int) -> float:
        share = (cycle - self.first) / self.cycles
        return LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)

    def box(self, first: int, last: int, style: str, title: str = "", name: str = "") -> Box | None:
        """From cycle ``first`` to ``last``; None where that lies outside."""
        if last < self.first or first >= self.first + self.cycles:
            return None
        x = self.place(first)
        width = self.place(last + 1) - x
        width = width - SEAM if width > 4 * SEAM else max(width, THINNEST)
        return Box(x, width, style, title, name if len(name) * LETTER < width else "")


def draw(report: Report, styles: dict[str, str]) -> Drawing | None:
    """The drawing of a report's timeline; None where there is none.

    Args:
        styles: colour class of each part.
    """
    rtl = report.verification.rtl
    if rtl is None:
        return None
    blocks = _blocks(report, rtl.timeline)
    name, first, last = _typical(blocks)
    whole = _Window(0, rtl.cycles)
    margin = (last - first) // 50
    zoomed = _Window(max(first - margin, 0), last - first + 1 + 2 * margin)
    upper = _chart(report, rtl, whole, 0.0, blocks, styles)
    lower = _chart(report, rtl, zoomed, upper.height + AXIS + LENS, blocks, styles)
    left, right = whole.place(zoomed.first), whole.place(zoomed.first + zoomed.cycles)
    bottom = upper.height
    lens = f"M{left:.2f} {HEAD - GAP}H{right:.2f}V{bottom:.2f}H{left:.2f}Z"
    beam = (
        f"M{left:.2f} {bottom:.2f}H{right:.2f}L{WIDTH - RIGHT:.2f} {lower.top + HEAD - GAP:.2f}"
        f"H{LEFT:.2f}Z"
    )
    return Drawing(lower.top + lower.height + AXIS, (upper, lower), name, lens, beam)


def _blocks(report: Report, timeline: Sequence[TimelineSlice]) -> list[tuple[str, int, int]]:
    """(name, first cycle, last cycle) of each block, by the rows that enter the array."""
    found: list[tuple[str, int, int]] = []
    for part in sorted((s for s in timeline if s.unit == "rows"), key=lambda s: s.first):
        name = report.instructions[part.instruction].block
        if found and found[-1][0] == name:
            found[-1] = (name, found[-1][1], part.last)
        else:
            found.append((name, part.first, part.last))
    return found


def _typical(blocks: Sequence[tuple[str, int, int]]) -> tuple[str, int, int]:
    """The block in the middle of the run."""
    inner = [block for block in blocks if block[0].startswith("block ")] or list(blocks)
    return inner[len(inner) // 2]


def _chart(
    report: Report,
    rtl: RtlResult,
    window: _Window,
    top: float,
    blocks: Sequence[tuple[str, int, int]],
    styles: dict[str, str],
) -> Chart:
    by_unit: dict[str, list[TimelineSlice]] = {unit: [] for unit in UNITS}
    for part in rtl.timeline:
        by_unit[part.unit].append(part)
    tracks = []
    for index, (unit, name) in enumerate(UNITS.items()):
        boxes = (
            window.box(
                part.first,
                part.last,
                styles[report.instructions[part.instruction].part],
                _title(report, rtl, part),
                report.instructions[part.instruction].part,
            )
            for part in by_unit[unit]
        )
        y = HEAD + index * (TRACK + GAP)
        tracks.append(Track(name, y, tuple(box for box in boxes if box)))
    bands = (
        window.box(first, last, f"band{index % 2}", name, name.removeprefix("block "))
        for index, (name, first, last) in enumerate(blocks)
    )
    height = HEAD + len(tracks) * (TRACK + GAP)
    shown = tuple(band for band in bands if band)
    return Chart(top, height, height + LETTERS, shown, tuple(tracks), _ticks(window))


def _ticks(window: _Window) -> tuple[tuple[float, str], ...]:
    """Round cycles on the axis."""
    steps = (factor * 10**power for power in range(12) for factor in (1, 2, 5))
    step = next(step for step in steps if window.cycles <= step * MOST_TICKS)
    start = -(-window.first // step) * step
    cycles = range(start, window.first + window.cycles, step)
    ticks = ((window.place(cycle), f"{cycle:,}") for cycle in cycles)
    return tuple((x, text) for x, text in ticks if x + len(text) * LETTER / 2 < WIDTH)


def _title(report: Report, rtl: RtlResult, part: TimelineSlice) -> str:
    """The tooltip of a slice."""
    item = report.instructions[part.instruction]
    lines = [
        f"{UNITS[part.unit]}: instruction {item.index}, {item.opcode}",
        ", ".join(dict.fromkeys((item.block, item.part))) + f" ({item.label})",
        f"cycles {part.first:,} to {part.last:,}: {part.last + 1 - part.first:,}",
    ]
    if part.unit == "rows":
        share = rtl.instructions[part.instruction]
        waits = (f"{cause.replace('_', ' ')} {n:,}" for cause, n in share.stalls.items())
        lines.append(f"of {share.cycles:,} in all, waiting: {', '.join(waits) or 'none'}")
    return "\n".join(lines)
