# SPDX-License-Identifier: Apache-2.0
"""``bench/results.md`` and ``bench/results.svg`` from measured results and published ones."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict

from bench.cases import CASES, Case
from bench.measure import Results
from hwgen.report.figures import percent, signed_percent
from hwgen.verification import CLOCKS_MHZ

FOLDER = Path(__file__).parent
ASSUMED_MHZ = 300
FOLLOWS = 1.10
"""A pruned network may take that many times the cycles that its multiplications would say."""
MOST_SELECTOR = 0.03
"""Share of a pruned network's cycles that its selectors may take."""
LEFT, SCALE, BAR = 330.0, 460.0, 24.0
"""Of the drawing: where bars begin, how wide the longest one is, and from one to the next."""


class Anchor(BaseModel):
    """A published result. What its source does not give is null."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    work: str
    board: str
    model: Literal["DeiT-Tiny", "DeiT-Small", "DeiT-Base"]
    bits: str
    fps: float
    evidence: Literal["primary source", "secondary source", "derived"]
    source: str
    url: str
    clock_mhz: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Bar:
    """A bar of the drawing: ``y`` from the top, ours or published."""

    y: float
    name: str
    width: float
    figure: str
    ours: bool


@dataclass(frozen=True)
class Panel:
    """The bars of one network, on a scale of their own."""

    name: str
    y: float
    bars: tuple[Bar, ...]


def write(results: Results) -> None:
    """Writes both files; the same results give the same bytes."""
    anchors = [Anchor(**entry) for entry in yaml.safe_load((FOLDER / "anchors.yaml").read_text())]
    rows = [row(name, result) for name, result in results.items()]
    panels, height = _panels(rows, anchors)
    values = {
        "rows": rows,
        "pruned": [pruned(case, results) for case in CASES if _measured(case, results)],
        "follows": FOLLOWS,
        "most_selector": percent(MOST_SELECTOR, 0),
        "anchors": anchors,
        "panels": panels,
        "height": height,
        "left": LEFT,
        "clocks": CLOCKS_MHZ,
        "assumed": ASSUMED_MHZ,
        "memories": sorted({result["memory"] for result in results.values()}),
    }
    environment = Environment(
        loader=FileSystemLoader(FOLDER, encoding="utf-8"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=lambda name: bool(name and ".svg" in name),
    )
    for name in ("results.md", "results.svg"):
        text = environment.get_template(f"{name}.j2").render(**values)
        (FOLDER / name).write_text(text)


def row(name: str, result: dict[str, Any]) -> dict[str, Any]:
    """A result with what follows from it, as text."""
    cycles, stalls = result["cycles"], result["stalls"]
    return result | {
        "name": name,
        "error": signed_percent(result["predicted"] / cycles - 1),
        "used": percent(result["utilisation"]),
        "per_image": round(cycles / result["batch"]),
        "fps": {mhz: result["batch"] * mhz * 1e6 / cycles for mhz in CLOCKS_MHZ},
        "waiting": ", ".join(
            f"{cause.replace('_', ' ')} {percent(count / cycles)}"
            for cause, count in sorted(stalls.items(), key=lambda item: -item[1])
            if count >= 0.001 * cycles
        ),
        "waits": percent(sum(stalls.values()) / cycles),
    }


def pruned(case: Case, results: Results) -> dict[str, Any]:
    """A pruned network beside the same network with all its tokens, as text."""
    assert case.dense is not None
    ours, dense = results[case.name], results[case.dense]
    work = ours["macs"] / dense["macs"]
    ratio = ours["cycles"] / (dense["cycles"] * work)
    share = ours["selectors"] / ours["cycles"]
    cycles = ours["cycles"] / case.batch
    return {
        "name": case.name,
        "model": case.model.removeprefix("preset:"),
        "cycles": round(cycles),
        "limit": f"{case.limit:,}" if case.limit else "",
        "within": _mark(cycles <= case.limit) if case.limit else "",
        "share": percent(ours["cycles"] / dense["cycles"]),
        "work": percent(work),
        "ratio": f"{ratio:.3f}",
        "ratio_within": _mark(ratio <= FOLLOWS) if case.follows else "bound by memory",
        "selectors": percent(share),
        "selectors_within": _mark(share <= MOST_SELECTOR),
    }


def _measured(case: Case, results: Results) -> bool:
    return case.dense is not None and case.name in results and "macs" in results.get(case.dense, {})


def _mark(kept: bool) -> str:
    return "yes" if kept else "**no**"


def _panels(rows: list[dict[str, Any]], anchors: list[Anchor]) -> tuple[list[Panel], float]:
    """The drawing's panels, and its height."""
    panels, y = [], 64.0
    for network in ("DeiT-Tiny", "DeiT-Small", "DeiT-Base"):
        ours = [
            (f"hwgen, W8A8, {_variant(item['name'], network)}, {mhz} MHz", item["fps"][mhz], True)
            for item in rows
            if item["name"].split(",")[0] == network
            for mhz in (CLOCKS_MHZ if item["name"] == network else (ASSUMED_MHZ,))
        ]
        theirs = [
            (f"{a.work}, {a.bits}" + (f", {a.note}" if a.note else ""), a.fps, False)
            for a in anchors
            if a.model == network
        ]
        shown = sorted([*ours, *theirs], key=lambda bar: -bar[1])
        longest = max((fps for _, fps, _ in shown), default=1.0)
        bars = tuple(
            Bar(24 + index * BAR, name, SCALE * fps / longest, f"{fps:,.1f}", mine)
            for index, (name, fps, mine) in enumerate(shown)
        )
        panels.append(Panel(network, y, bars))
        y += 24 + len(bars) * BAR + 28
    return panels, y


def _variant(name: str, network: str) -> str:
    """What a case's name says beyond the network's."""
    return name.removeprefix(network).lstrip(", ") or "batch 1"
