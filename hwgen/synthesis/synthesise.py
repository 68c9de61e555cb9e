# SPDX-License-Identifier: Apache-2.0
"""Elaborates a design and synthesises its units for UltraScale+, each once."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hwgen.synthesis import cache, yosys
from hwgen.synthesis.netlist import Netlist, read_netlist
from hwgen.synthesis.units import TOP, Unit

SYNTHESISE = (
    "read_rtlil design.il; "
    "synth_xilinx -family xcup -top top -noiopad -noclkbuf -flatten; "
    "write_json netlist.json"
)
BATCH_SIZE = 500_000
"""Characters of RTLIL in one run: it takes some seconds to start, whatever it is given."""

_MODULE = re.compile(r"^module \\(\S+)$", re.MULTILINE)
_REFERENCE = re.compile(r"^(module|  cell) \\(\S+)", re.MULTILINE)


def elaborate(sources: Mapping[str, bytes], top: str, parameters: Mapping[str, int]) -> str:
    """RTLIL of SystemVerilog files, a module for each instance.

    Args:
        sources: files in order of compilation.

    Raises:
        ToolError: Yosys is missing or refused them.
    """
    overrides = " ".join(f"-G {name}={value}" for name, value in parameters.items())
    script = (
        # Threads are not available where Yosys runs as WebAssembly.
        f"read_slang -j 1 --keep-hierarchy --top {top} {overrides} {' '.join(sources)}; "
        "write_rtlil design.il"
    )
    name = cache.key(script.encode(), *sources.values())
    data = cache.load(name)
    if data is None:
        data = yosys.run(script, sources, "design.il")
        cache.keep([(name, data)])
    return data.decode()


def synthesise(
    units: Sequence[Unit], progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Netlist]:
    """The netlist of each unit.

    Args:
        progress: called with the number of units done and their total.

    Raises:
        ToolError: Yosys is missing or failed.
    """
    names = [cache.key(SYNTHESISE.encode(), unit.text.encode()) for unit in units]
    missing = {
        name: unit for name, unit in zip(names, units, strict=True) if cache.load(name) is None
    }
    done = len(set(names)) - len(missing)
    for batch in _batches(missing):
        progress(done, done + len(missing))
        cache.keep(_run(batch))
        done += len(batch)
        for name in batch:
            del missing[name]
    return [read_netlist(cache.load(name) or b"") for name in names]


def _batches(units: Mapping[str, Unit]) -> Iterator[dict[str, Unit]]:
    batch: dict[str, Unit] = {}
    size = 0
    for name, unit in sorted(units.items(), key=lambda item: len(item[1].text)):
        if batch and size + len(unit.text) > BATCH_SIZE:
            yield batch
            batch, size = {}, 0
        batch[name] = unit
        size += len(unit.text)
    if batch:
        yield batch


def _run(units: Mapping[str, Unit]) -> Iterator[tuple[str, bytes]]:
    """(name, netlist) of each unit. They stand side by side in one module that is kept whole."""
    parts, cells = [], []
    for index, unit in enumerate(units.values()):
        local = set(_MODULE.findall(unit.text))

        def rename(match: re.Match[str], index: int = index, local: set[str] = local) -> str:
            return f"{match[1]} \\u{index}.{match[2]}" if match[2] in local else match[0]

        text = _REFERENCE.sub(rename, unit.text)
        outer = f"module \\u{index}.{TOP}\n"
        parts.append(text.replace(outer, f"attribute \\keep_hierarchy 1\n{outer}", 1))
        cells.append(f"  attribute \\keep 1\n  cell \\u{index}.{TOP} \\u{index}\n  end\n")
    design = "".join([*parts, "module \\top\n", *cells, "end\n"])
    result = yosys.run(SYNTHESISE, {"design.il": design.encode()}, "netlist.json")
    modules = json.loads(result)["modules"]
    for index, name in enumerate(units):
        yield name, json.dumps(_without_prefix(modules[f"u{index}.{TOP}"], f"u{index}.")).encode()


def _without_prefix(module: dict[str, Any], prefix: str) -> dict[str, Any]:
    """What `read_netlist` needs of a module; units inside have their own names again."""
    cells = {
        name: {
            "type": cell["type"].removeprefix(prefix),
            "port_directions": cell["port_directions"],
            "connections": cell["connections"],
            "parameters": cell["parameters"] if cell["type"].startswith("DSP") else {},
        }
        for name, cell in module["cells"].items()
    }
    return {"ports": module["ports"], "cells": cells, "netnames": module["netnames"]}
