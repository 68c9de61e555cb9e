# SPDX-License-Identifier: Apache-2.0
"""Synthesis of a whole engine: what each part takes, and the longest paths."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from hwgen.emit.rtl import TOP, design_sources
from hwgen.estimate.usage import Resources, Usage
from hwgen.package_data import data_folder
from hwgen.program.engine import EngineConfig
from hwgen.progress import Progress, silent
from hwgen.synthesis.netlist import Netlist
from hwgen.synthesis.paths import Path, Timing, timing, worst_paths
from hwgen.synthesis.rtlil import read_design
from hwgen.synthesis.synthesise import elaborate, synthesise
from hwgen.synthesis.units import Unit, cut

CORE = "engine_core"
"""Looked into like the top itself: its parts stand beside those of the top."""

REST = "row_pipeline"
"""The part of what no unit holds: delays, multiplexers, the adders of the accumulators."""

PARTS = {
    "mac_array": "array",
    "accumulators": "accumulator",
    "epilogue": "epilogue",
    "normaliser": "layer_norm",
    "statistics": "layer_norm",
    "statistics_memory": "layer_norm",
    "softmax": "softmax",
    "token_decision": "token_selection",
    "row_sums": "token_selection",
    "residual": "residual_buffer",
    "work": "work_buffer",
    "value": "value_buffer",
    "scores": "score_buffer",
    "filler": "tiles",
    "square": "tiles",
    "loader": "tiles",
    "prefetch_fifo": "prefetch_buffer",
    "fetch": "memory_ports",
    "store": "memory_ports",
    "control": "control",
    "run_control": "control",
    "sequencer": "control",
    "issuer": "control",
    "items": "control",
    "loads": "control",
    "fills": "control",
}
"""The part of the prediction to which an instance belongs."""


@dataclass(frozen=True)
class Synthesis:
    """What Yosys made of an engine.

    Attributes:
        resources: of each part, by the names of the prediction.
        paths: the worst path that begins or ends in each part.
    """

    resources: Resources
    paths: dict[str, Path]

    @property
    def worst(self) -> Path:
        """The worst path of all."""
        return max(self.paths.values(), key=lambda path: path.delay.rank)


@dataclass(frozen=True, eq=False)
class _Result:
    netlist: Netlist
    usage: Usage  # units inside left out
    inside: dict[str, "_Result"]
    timing: Timing


def synthesise_engine(engine: EngineConfig, progress: Progress = silent) -> Synthesis:
    """Synthesises the RTL of ``engine`` with DSP48E2 slices, from the cache what is there.

    Raises:
        ToolError: Yosys is missing or failed.
    """
    progress("elaborating", 0, 0)
    model = data_folder("kernels_rtl") / "simulation" / "DSP48E2.sv"
    sources = {"DSP48E2.sv": model.read_bytes(), **design_sources(engine)}
    design = elaborate(sources, TOP, {"PRIMITIVE": 1, "TWIN": 0})
    top = cut(read_design(design, TOP), (CORE,), PARTS)
    units = _all(top)
    netlists = synthesise(list(units), lambda done, total: progress("synthesising", done, total))
    by_unit = dict(zip(map(id, units), netlists, strict=True))
    results: dict[int, _Result] = {}

    def result_of(unit: Unit) -> _Result:
        if id(unit) not in results:
            netlist = by_unit[id(unit)]
            inside = {kind: result_of(child) for kind, child in unit.inside.items()}
            timings = {kind: child.timing for kind, child in inside.items()}
            results[id(unit)] = _Result(netlist, netlist.usage(), inside, timing(netlist, timings))
        return results[id(unit)]

    progress("finding paths", 0, 0)
    netlist = by_unit[id(top)]
    parts = {kind: result_of(unit) for kind, unit in top.inside.items()}
    return Synthesis(_resources(netlist, parts), _paths(netlist, parts))


def _all(top: Unit) -> list[Unit]:
    found: dict[int, Unit] = {}

    def visit(unit: Unit) -> None:
        found[id(unit)] = unit
        for child in unit.inside.values():
            if id(child) not in found:
                visit(child)

    visit(top)
    return list(found.values())


def _resources(netlist: Netlist, parts: Mapping[str, _Result]) -> Resources:
    total: dict[str, Usage] = dict.fromkeys([*dict.fromkeys(PARTS.values()), REST], Usage())

    def add(part: str, result: _Result) -> None:
        total[part] += result.usage
        counts = Counter(cell.kind for cell in result.netlist.cells)
        for kind, child in result.inside.items():
            inner = PARTS.get(kind.rpartition("_")[0], part)
            for _ in range(counts[kind]):
                add(inner, child)

    total[REST] += netlist.usage()
    for cell in netlist.cells:
        if cell.kind in parts:
            add(_part(cell.name), parts[cell.kind])
    return Resources(total)


def _paths(netlist: Netlist, parts: Mapping[str, _Result]) -> dict[str, Path]:
    result: dict[str, Path] = {}

    def add(part: str, path: Path) -> None:
        if part not in result or path.delay.rank > result[part].delay.rank:
            result[part] = path

    timings = {kind: part.timing for kind, part in parts.items()}
    for instance, path in worst_paths(netlist, timings).items():
        add(_part(instance), path)
    for outer in parts.values():
        for kind, inner in outer.inside.items():
            if (name := kind.rpartition("_")[0]) in PARTS:
                add(PARTS[name], inner.timing.inside)
    return result


def _part(instance: str) -> str:
    return PARTS.get(instance.rpartition(".")[2], REST)
