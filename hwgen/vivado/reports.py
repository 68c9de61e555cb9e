# SPDX-License-Identifier: Apache-2.0
"""Reads Vivado's reports of a routed design: utilisation and timing, 2020.2 and later."""

import re
from collections.abc import Iterator
from pathlib import Path

from hwgen.errors import ToolError
from hwgen.report.schema import Resources, Timing

_ROWS = {
    "lut": "CLB LUTs",
    "ff": "CLB Registers",
    "dsp": "DSPs",
    "bram36": "Block RAM Tile",
    "uram": "URAM",
}
"""Of ``report_utilization``. A device without UltraRAM has no row of it."""
_MET = "All user specified timing constraints are met."
_NOT_MET = "Timing constraints are not met."
_ENGINE_CLOCK = "clk_out1_"
"""How Vivado begins the name of what a clock wizard makes."""


def utilisation(path: Path) -> Resources:
    """The whole design, from ``report_utilization``. Half a block RAM counts as one.

    Raises:
        ToolError: the file is missing or holds no such report.
    """
    used: dict[str, int | None] = dict.fromkeys(_ROWS)
    for cells in _table_rows(_read(path)):
        for kind, name in _ROWS.items():
            # A star stands behind the name before placement.
            if cells[0].rstrip("*") == name and used[kind] is None:
                used[kind] = -int(-float(_number(path, cells[1])) // 1)
    if used["lut"] is None:
        raise ToolError(f"{path} is no utilisation report of Vivado: it has no row 'CLB LUTs'.")
    return Resources(**used)


def instance_utilisation(path: Path, instance: str) -> Resources:
    """One instance and all below it, from ``report_utilization -hierarchical``.

    Raises:
        ToolError: the file is missing, holds no such report, or no such instance.
    """
    header: list[str] | None = None
    for cells in _table_rows(_read(path)):
        if cells[0] == "Instance":
            header = cells
        elif header is not None and cells[0] == instance:
            row = dict(zip(header, cells, strict=False))
            return _instance(path, row)
    raise ToolError(
        f"{path} holds no row of the instance {instance!r}"
        + ("." if header else ": it is no hierarchical utilisation report of Vivado.")
    )


def _instance(path: Path, row: dict[str, str]) -> Resources:
    def count(name: str) -> int:
        if name not in row:
            raise ToolError(f"{path} has no column {name!r}, which Vivado writes since 2020.2.")
        return int(_number(path, row[name]))

    # 'DSP48 Blocks' in older versions, 'DSP Blocks' in newer ones.
    dsp = next((name for name in row if name.startswith("DSP")), "DSP Blocks")
    return Resources(
        lut=count("Total LUTs"),
        ff=count("FFs"),
        dsp=count(dsp),
        bram36=count("RAMB36") + -(-count("RAMB18") // 2),
        uram=count("URAM") if "URAM" in row else None,
    )


def timing(path: Path, engine: str, target_mhz: float) -> Timing:
    """Timing of the routed design, from ``report_timing_summary``.

    Args:
        engine: ``rtl`` or ``hls``, for the result.
        target_mhz: the clock that the engine was to have.

    Raises:
        ToolError: the file is missing, holds no such report, or nothing was constrained.
    """
    text = _read(path)
    if _MET not in text and _NOT_MET not in text:
        raise ToolError(
            f"{path} does not say whether timing is met: it is no timing summary of Vivado, or "
            "the design has no clock."
        )
    summary = _numbers(path, text, "Design Timing Summary", "")
    period = _period(path, text)
    slack = float(_number(path, _numbers(path, text, "Intra Clock Table", _ENGINE_CLOCK)[0]))
    failing = (summary[index] for index in (2, 6, 10))
    return Timing.model_validate(
        {
            "engine": engine,
            "clock_mhz": target_mhz,
            "worst_slack_ns": float(_number(path, summary[0])),
            "worst_hold_slack_ns": float(_number(path, summary[4])),
            "achieved_mhz": round(1000 / (period - slack), 1),
            "failing_endpoints": sum(int(_number(path, value)) for value in failing),
            "met": _MET in text,
        }
    )


def _period(path: Path, text: str) -> float:
    """Period of the engine's clock in ns."""
    for line in _section(text, "Clock Summary"):
        found = re.match(rf"\s*{_ENGINE_CLOCK}\S*\s+\{{.*?\}}\s+([\d.]+)\s", line)
        if found:
            return float(found[1])
    raise ToolError(f"{path} names no clock {_ENGINE_CLOCK}..., which the engine runs at.")


def _numbers(path: Path, text: str, section: str, name: str) -> list[str]:
    """The values of the row that begins with ``name``; the first row where it is empty."""
    for line in _section(text, section):
        first, *values = line.split() or [""]
        if not name:
            first, values = name, [first, *values]
        if first.startswith(name) and len(values) == 12 and re.match(r"-?[\dN]", values[0]):
            return values
    raise ToolError(
        f"{path} has no values under '{section}'"
        + (f" for a clock {name}..." if name else "")
        + ": it is no timing summary of Vivado."
    )


def _section(text: str, title: str) -> Iterator[str]:
    """The lines between a title of a timing report and the next one."""
    inside = False
    for line in text.splitlines():
        if line.startswith("| "):
            title_line = line[2:].strip()
            if title_line.strip("-"):
                inside = title_line == title
        elif inside:
            yield line


def _table_rows(text: str) -> Iterator[list[str]]:
    """The cells of every line of a table, without the spaces around them."""
    for line in text.splitlines():
        if line.startswith("|") and line.rstrip().endswith("|"):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def _number(path: Path, text: str) -> str:
    if not re.fullmatch(r"-?\d+(\.\d+)?", text):
        raise ToolError(f"{path}: {text!r} stands where a number should.")
    return text


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ToolError(f"Vivado's report {path} cannot be read: {error.strerror}.") from None
