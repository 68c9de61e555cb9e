# SPDX-License-Identifier: Apache-2.0
"""Plots of token pruning: how many tokens stayed, and the cycles of a run against them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwgen.report.schema import Pruning, Report, RunCycles, SelectorReport

WIDTH, LEFT, RIGHT = 500.0, 54.0, 12.0
"""Of a plot, and the margins beside its axes; numbers stand in the left one."""
TOP, BAND, AXIS = 32.0, 78.0, 34.0
"""Heights of a histogram's name, of its bars, and of the axis below all of them."""
HEIGHT = 250.0
"""Of the plot of cycles, without its axis."""
MOST_BINS = 50
MOST_TICKS = 6


@dataclass(frozen=True)
class Bar:
    """A bar that stands on the base line of its histogram."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class Histogram:
    """Images by their number of tokens behind one selector.

    Attributes:
        name_y: base line of the name.
        top, base: where the highest bar ends, and the line that bars stand on.
        most: images of the highest bar.
        mean: place of the mean.
        note: the mean in words.
    """

    name: str
    style: str
    name_y: float
    top: float
    base: float
    most: int
    bars: tuple[Bar, ...]
    mean: float
    note: str


@dataclass(frozen=True)
class Histograms:
    """One above the other, on a common axis of tokens."""

    height: float
    charts: tuple[Histogram, ...]
    ticks: tuple[tuple[float, str], ...]
    width: float = WIDTH
    left: float = LEFT
    right: float = WIDTH - RIGHT


@dataclass(frozen=True)
class Dot:
    """One run."""

    x: float
    y: float
    title: str


@dataclass(frozen=True)
class Scatter:
    """Cycles of an image against its tokens.

    Attributes:
        base: height of the axis.
        predicted, measured: runs.
        line: SVG path of the straight line that fits the predicted ones best; empty where they
            all have as many tokens.
        slope: its cycles for a token.
        x_ticks, y_ticks: places and numbers of the axes.
    """

    base: float
    predicted: tuple[Dot, ...]
    measured: tuple[Dot, ...]
    line: str
    slope: float
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    width: float = WIDTH
    height: float = HEIGHT + AXIS
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP


def histograms(pruning: Pruning) -> Histograms:
    """Of the tokens behind each selector, class token and package token among them."""
    most = max(selector.rows_in.most for selector in pruning.selectors)
    size = -(-most // MOST_BINS)
    scale = (WIDTH - LEFT - RIGHT) / (most + 1)
    charts = tuple(
        _histogram(selector, f"c{number % 8}", number * (TOP + BAND), size, scale)
        for number, selector in enumerate(pruning.selectors)
    )
    ticks = tuple((LEFT + (n + 0.5) * scale, f"{n}") for n in _round(most))
    return Histograms(len(charts) * (TOP + BAND) + AXIS, charts, ticks)


def _histogram(
    selector: SelectorReport, style: str, top: float, size: int, scale: float
) -> Histogram:
    """Bars of ``size`` numbers of tokens each; ``scale`` is the width of one."""
    bins: Counter[int] = Counter()
    for count in selector.counts:
        bins[count.rows // size] += count.images
    base, highest = top + TOP + BAND, max(bins.values())
    bars = []
    for number, images in sorted(bins.items()):
        first = number * size
        tokens = f"{first}" if size == 1 else f"{first} to {first + size - 1}"
        height = BAND * images / highest
        x = LEFT + first * scale
        title = f"{tokens} tokens: {images:,} image{'s' if images > 1 else ''}"
        bars.append(Bar(x, base - height, max(size * scale - 1, 1.5), height, title))
    mean = selector.rows_out.mean
    return Histogram(
        name=f"before {selector.block}",
        style=style,
        name_y=top + 20,
        top=top + TOP,
        base=base,
        most=highest,
        bars=tuple(bars),
        mean=LEFT + (mean + 0.5) * scale,
        note=f"mean {mean:.1f}",
    )


def scatter(report: Report, pruning: Pruning) -> Scatter | None:
    """Cycles of an image against the tokens that a block sees, the mean over the blocks; None
    where no run is listed.
    """
    rtl = report.verification.rtl
    predicted = [(_tokens(report, pruning, run), run.predicted) for run in pruning.runs]
    measured = [
        (_tokens(report, pruning, run), run.measured)
        for run in (rtl.runs if rtl else ())
        if run.measured is not None
    ]
    if not predicted:
        return None
    batch = report.batch
    points = (*predicted, *measured)
    least_x, most_x = _window([tokens for tokens, _ in points])
    least_y, most_y = _window([cycles / batch for _, cycles in points])

    def place(tokens: float, cycles: float) -> tuple[float, float]:
        x = LEFT + (tokens - least_x) / (most_x - least_x) * (WIDTH - LEFT - RIGHT)
        return x, HEIGHT - (cycles - least_y) / (most_y - least_y) * (HEIGHT - TOP)

    def dots(points: Sequence[tuple[float, int]], how: str) -> tuple[Dot, ...]:
        # Runs of the same tokens and cycles lie on each other: one dot says it.
        counted = Counter(points)
        return tuple(
            Dot(
                *place(tokens, cycles / batch),
                f"{tokens:.1f} tokens, {cycles / batch:,.0f} cycles {how}"
                + (f" ({n} runs)" if n > 1 else ""),
            )
            for (tokens, cycles), n in sorted(counted.items())
        )

    line, slope = "", 0.0
    tokens = [tokens for tokens, _ in predicted]
    if max(tokens) - min(tokens) > 1e-9:
        slope, start = np.polyfit(tokens, [cycles / batch for _, cycles in predicted], 1).tolist()
        ends = (place(at, start + slope * at) for at in (min(tokens), max(tokens)))
        line = "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in ends)
    return Scatter(
        HEIGHT,
        dots(predicted, "predicted"),
        dots(measured, "measured"),
        line,
        slope,
        tuple((place(n, 0)[0], f"{n:,}") for n in _round(most_x, least_x)),
        tuple((place(0, n)[1], _thousands(n)) for n in _round(most_y, least_y)),
    )


def _tokens(report: Report, pruning: Pruning, run: RunCycles) -> float:
    """Tokens of an image in a block, the mean over the blocks and over the run."""
    behind = {s.block: rows for s, rows in zip(pruning.selectors, run.rows, strict=True)}
    names = dict.fromkeys(i.block for i in report.instructions if i.block.startswith("block "))
    now = pruning.selectors[0].rows_in.most * report.batch
    total = 0
    for name in names:
        now = behind.get(name, now)
        total += now
    return total / len(names) / report.batch


def _window(values: Sequence[float]) -> tuple[float, float]:
    """Where an axis begins and ends: room around the values, and all of it above 0."""
    room = max((max(values) - min(values)) / 5, max(values) / 20)
    return max(min(values) - room, 0.0), max(values) + room


def _round(most: float, least: float = 0.0) -> range:
    """Round numbers from ``least`` to ``most``."""
    steps = (factor * 10**power for power in range(12) for factor in (1, 2, 5))
    step = next(step for step in steps if most - least <= step * MOST_TICKS)
    return range(-int(-least // step) * step, int(most) + 1, step)


def _thousands(cycles: int) -> str:
    return f"{cycles // 1000:,} k" if cycles and cycles % 1000 == 0 else f"{cycles:,}"
