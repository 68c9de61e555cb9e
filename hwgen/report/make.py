# SPDX-License-Identifier: Apache-2.0
"""The Report of a freshly built design."""

import importlib.metadata
import platform
from collections.abc import Sequence
from typing import Any

from hwgen import __version__
from hwgen.boards import Board
from hwgen.config import Config
from hwgen.estimate.cycles import estimate_cycles
from hwgen.estimate.fit import fit
from hwgen.estimate.resources import predict_resources
from hwgen.estimate.result import InstructionCycles
from hwgen.estimate.timing import timing_for
from hwgen.estimate.usage import Usage
from hwgen.golden.selections import rows_written
from hwgen.ir.graph import Graph
from hwgen.program.instructions import Instruction, disassemble
from hwgen.program.program import Program
from hwgen.report.limits import with_limits
from hwgen.report.parts import parts
from hwgen.report.pruning import Run
from hwgen.report.schema import (
    Cycles,
    InputReport,
    InstructionReport,
    Module,
    Report,
    ResourceReport,
    Resources,
    SynthesisedModule,
    YosysReport,
)
from hwgen.synthesis.engine import Synthesis

PACKAGES = ("numpy", "onnx", "onnxruntime")
"""Packages whose version can change a design."""


def make_report(
    source: str,
    graph: Graph,
    size: tuple[int, int],
    program: Program,
    board: Board,
    config: Config,
    runs: Sequence[Run] = (),
) -> Report:
    """What is known before anything was measured.

    Args:
        source: what ``Source.recorded`` says.
        size: multiplications and parameters of the network.
        config: the effective one.
        runs: what the token selections of a program with selectors did on the first images; the
            cycles are those of the first of these runs.

    Raises:
        FitError: the engine does not fit the board.
    """
    clock = config.clock_mhz or board.clock_mhz
    macs, parameters = size
    batch = program.input.batch
    report = Report(
        model=program.name,
        source=source,
        input=InputReport(
            height=graph.input.height,
            width=graph.input.width,
            channels=graph.input.channels,
            mean=graph.input.mean,
            std=graph.input.std,
        ),
        classes=program.classes,
        board=board.name,
        device=board.part,
        config_digest=config.digest(),
        tool_versions=tool_versions(),
        lanes=program.engine.lanes,
        macs=macs,
        parameters=parameters,
        weight_bytes=program.weights.nbytes,
        clock_mhz=clock,
        batch=batch,
        resources=_resources(program, board),
        limits=(),
        **speed(program, board, clock, macs, runs[0] if runs else None),
    )
    return with_limits(report)


def speed(
    program: Program, board: Board, clock: float, macs: int, run: Run | None
) -> dict[str, Any]:
    """What the cost model says of a run, as the Report has it.

    Args:
        clock: in MHz.
        macs: multiplications of one image.
        run: what its token selections did; as many rows as there can be where None.
    """
    timing, batch = timing_for(board, clock), program.input.batch
    cycles = estimate_cycles(program, timing, None if run is None else rows_written(run))
    places = parts(program.instructions, program.labels)
    return {
        "cycles": Cycles(predicted=cycles.total),
        "cycles_per_image": cycles.total / batch,
        "fps": batch * clock * 1e6 / cycles.total,
        "latency_ms": cycles.total / clock / 1e3,
        "mac_utilisation": batch * macs / (cycles.total * program.engine.lanes**2),
        "instructions": tuple(
            _instruction(*item)
            for item in zip(program.instructions, places, cycles.instructions, strict=True)
        ),
    }


def tool_versions() -> dict[str, str | None]:
    """Versions of hwgen and of what it computes with."""
    installed = {name: installed_version(name) for name in PACKAGES}
    return {
        "hwgen": __version__,
        **installed,
        "python": platform.python_version(),
        "vitis": None,
        "vivado": None,
    }


def installed_version(package: str) -> str | None:
    """Version of a Python package; None: it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _resources(program: Program, board: Board) -> ResourceReport:
    predicted = predict_resources(program.engine, ultra_ram=board.ultra_ram)
    fit(predicted, board.usable, board.name)
    return ResourceReport(
        predicted=Resources(**vars(predicted.total)),
        limits=Resources(**board.usable.model_dump()),
        device=Resources(**board.resources.model_dump()),
        modules=tuple(_module(name, usage) for name, usage in predicted.modules.items()),
    )


def yosys_report(found: Synthesis) -> YosysReport:
    """What a synthesis found, part by part."""
    modules = []
    for name, usage in found.resources.modules.items():
        path = found.paths[name]
        delay = path.delay
        modules.append(
            SynthesisedModule(
                **_module(name, usage).model_dump(),
                luts=delay.luts,
                carry_chains=delay.chains,
                products=delay.products,
                path=str(path),
                allowed=delay.allowed,
            )
        )
    return YosysReport(**vars(found.resources.total), modules=tuple(modules))


def _module(name: str, usage: Usage) -> Module:
    return Module(name=name.replace("_", " "), **vars(usage))


def _instruction(
    instruction: Instruction, place: tuple[str, str], cycles: InstructionCycles
) -> InstructionReport:
    block, part = place
    return InstructionReport(
        index=cycles.index,
        label=cycles.label,
        block=block,
        part=part,
        opcode=instruction.opcode.name,
        text=disassemble(instruction),
        macs=cycles.macs,
        cycles=cycles.cycles,
        stalls={str(cause): count for cause, count in cycles.stalls.items() if count},
    )
