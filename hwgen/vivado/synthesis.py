# SPDX-License-Identifier: Apache-2.0
"""Runs Vitis HLS and Vivado on a design's folder, and reads what they found."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from hwgen.emit.hls import FOLDER as HLS
from hwgen.emit.hwh import ENGINE
from hwgen.errors import ConfigError, ToolError
from hwgen.progress import Progress
from hwgen.report.schema import Resources, Timing
from hwgen.sim.process import Finished, last_lines
from hwgen.vivado.logs import first_problem
from hwgen.vivado.machine import Machine, find_machine
from hwgen.vivado.outputs import (
    OUTPUT,
    Engine,
    digests,
    input_files,
    test_bench_files,
    write_record,
)
from hwgen.vivado.project import FOLDER, HLS_CORE, STEPS
from hwgen.vivado.reports import instance_utilisation, timing, utilisation
from hwgen.vivado.tools import Tool, find_hls, find_vivado

HLS_STEP = "hls"
"""Before those of build.tcl where the engine is the C++."""
LOG = f"{FOLDER}/work/hwgen-synth.log"
TIMEOUT_S = 48 * 3600.0

_STAMP = f"{FOLDER}/work/hls.stamp"
"""Digest of what the exported core was made from."""
_NOT_MET = 3
"""Exit code of build.tcl."""


@dataclass(frozen=True)
class Options:
    """What is run, and where.

    Attributes:
        engine: the SystemVerilog, or the C++ through Vitis HLS.
        last: the last step to do; ``hls`` or one of ``STEPS``.
        host: ``user@machine[:folder]``; None: here.
        jobs: processes that Vivado may run at once.
    """

    engine: Engine = "rtl"
    last: str = STEPS[-1]
    host: str | None = None
    jobs: int = 4


@dataclass(frozen=True)
class Synthesised:
    """What Vivado found of the routed design.

    Attributes:
        vivado, hls: versions; ``hls`` is None where it was not run.
        engine: what the engine alone takes.
        design: what the whole design takes.
        timing: of the whole design. Where it is not met there is no bitstream.
        bitstream: whether there is one.
    """

    vivado: str
    hls: str | None
    engine: Resources
    design: Resources
    timing: Timing
    bitstream: bool


def synthesise(
    directory: Path, part: str, clock_mhz: float, options: Options, progress: Progress
) -> Synthesised | None:
    """Takes a design's folder to a bitstream, going on where an earlier run broke off.

    Args:
        part, clock_mhz: of the design, for the record.

    Returns:
        What the routed design is like; None where the last step asked for comes before that.

    Raises:
        ToolError: a tool is missing or failed, or the other machine cannot be reached. Nothing is
            recorded then.
        ConfigError: the options do not go together.
    """
    steps = (HLS_STEP, *STEPS) if options.engine == "hls" else STEPS
    if options.last not in steps:
        raise ConfigError(
            f"--step is {options.last!r}; with --engine {options.engine} it is one of "
            f"{', '.join(steps)}."
        )
    sources = input_files(directory, options.engine)
    machine = find_machine(directory, options.host)
    progress(f"looking for Vivado on {machine.name}", 0, 0)
    hls = find_hls(machine) if options.engine == "hls" else None
    vivado = None if options.last == HLS_STEP else find_vivado(machine)
    if options.host is not None:
        progress(f"copying to {machine.name}", 0, 0)
    machine.send([*sources, *(test_bench_files(directory) if hls else ())])
    log = _Log(directory / LOG, steps[: steps.index(options.last) + 1], progress)
    if hls is not None:
        _run_hls(machine, hls, digests(directory, sources), log)
    if vivado is None:
        return None
    code = _run_vivado(machine, vivado, options, log)
    if STEPS.index(options.last) < STEPS.index("impl"):
        return None
    reports = f"{FOLDER}/work/{options.engine}/reports"
    whole = code == 0 and options.last == STEPS[-1]
    machine.fetch(*((reports, OUTPUT) if whole else (reports,)))
    found = Synthesised(
        vivado.version,
        hls.version if hls else None,
        instance_utilisation(directory / reports / "hierarchy.rpt", ENGINE),
        utilisation(directory / reports / "utilization.rpt"),
        timing(directory / reports / "timing.rpt", options.engine, clock_mhz),
        bitstream=whole,
    )
    if whole:
        hls_tool = str(hls) if hls else None
        write_record(directory, str(vivado), hls_tool, options.engine, part, clock_mhz)
    return found


class _Log:
    """Keeps the tools' output in a file, and tells of each step as it begins."""

    def __init__(self, path: Path, steps: tuple[str, ...], progress: Progress) -> None:
        self.path = path
        self.step = steps[0]
        self._steps = steps
        self._progress = progress
        self.lines: list[str] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")

    def begin(self, step: str) -> None:
        self.step = step
        self._progress(f"step {step}", self._steps.index(step), len(self._steps))

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")
        words = line.split()
        if words[:2] == ["hwgen:", "step"] and words[3:] == ["begins"] and words[2] in self._steps:
            self.begin(words[2])

    def check(self, done: Finished, tool: Tool) -> None:
        """Raises a ToolError with the first error, unless the tool ended well."""
        if done.code == 0:
            return
        problem = first_problem(self.lines)
        why = f": {problem}." if problem else f" (exit code {done.code}).{last_lines(done.tail)}\n"
        raise ToolError(
            f"{tool} failed in step {self.step}{why} The whole log is {self.path}. The report "
            "stays as it was; run the same command again to go on with that step."
        )


def _run_hls(machine: Machine, hls: Tool, inputs: dict[str, str], log: _Log) -> None:
    """Makes the core, unless the one that is there was made from the same."""
    own = {name: digest for name, digest in inputs.items() if name.startswith(f"{HLS}/")}
    digest = hashlib.sha256(repr((str(hls), sorted(own.items()))).encode()).hexdigest()
    core = f"{FOLDER}/{HLS_CORE}/component.xml"
    known = f'test "$(cat {_STAMP} 2>/dev/null)" = "$0" && test -e {core}'
    if machine.run(("sh", "-c", known, digest), what="sh").code == 0:
        log(f"hwgen: step {HLS_STEP} was done before")
        return
    log(f"hwgen: step {HLS_STEP} begins")
    done = machine.run(hls.command, HLS, what=str(hls), timeout_s=TIMEOUT_S, on_line=log)
    log.check(done, hls)
    mark = f'mkdir -p {FOLDER}/work && printf %s "$0" > {_STAMP}'
    _need(machine, ("sh", "-c", mark, digest))


def _run_vivado(machine: Machine, vivado: Tool, options: Options, log: _Log) -> int:
    """Returns 0, or ``_NOT_MET``."""
    _need(machine, ("mkdir", "-p", f"{FOLDER}/work"))
    words = (*vivado.command, options.engine, options.last, str(options.jobs))
    done = machine.run(words, FOLDER, what=str(vivado), timeout_s=TIMEOUT_S, on_line=log)
    if done.code != _NOT_MET:
        log.check(done, vivado)
    return done.code


def _need(machine: Machine, words: tuple[str, ...]) -> None:
    done = machine.run(words, what=words[0])
    if done.code:
        raise ToolError(f"{machine.name} cannot write into {FOLDER}/work.{last_lines(done.tail)}")
