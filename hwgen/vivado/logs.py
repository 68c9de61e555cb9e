# SPDX-License-Identifier: Apache-2.0
"""Finds in the output of Vivado or Vitis HLS what went wrong first."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_ERROR = re.compile(r"\s*ERROR: (\[.+)")
_CRITICAL = re.compile(r"\s*CRITICAL WARNING: (\[.+)")
_COMPILER = re.compile(r"\s*(?P<file>\S+?):(?P<line>\d+):\d+: (?:fatal )?error: (?P<text>.+)")
"""What the C++ compiler inside Vitis HLS prints."""
_SCRIPT = re.compile(r"hwgen: failed[^:]*: (.+)")
_RUN_LOG = re.compile(r"hwgen: log of (\S+): ")
_PLACE = re.compile(r"\s*[\[(](?P<file>[^\[\]()]+?):(?P<line>\d+)(?::\d+)?[\])]\s*$")


@dataclass(frozen=True)
class Problem:
    """A message with the place in a source file that it names.

    Attributes:
        text: the tool's words, its message number first.
        file, line: None where the message names none.
    """

    text: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        return self.text + (f" ({self.file}, line {self.line})" if self.file else "")


def first_problem(lines: Iterable[str]) -> Problem | None:
    """The cause of a failure: the first error, of a run's own log where build.tcl shows one; then
    what build.tcl itself says; then the first critical warning. None: nothing of the kind.
    """
    error = in_run = critical = script = None
    inside_run = False
    for line in lines:
        inside_run = inside_run or bool(_RUN_LOG.match(line))
        if found := _COMPILER.match(line):
            problem = Problem(found["text"], found["file"], int(found["line"]))
            error = error or problem
        elif found := _ERROR.match(line):
            problem = _problem(found[1])
            error = error or problem
            if inside_run:
                in_run = in_run or problem
        elif found := _CRITICAL.match(line):
            critical = critical or _problem(found[1])
        elif found := _SCRIPT.match(line):
            script = script or Problem(found[1])
    return in_run or error or script or critical


def _problem(text: str) -> Problem:
    place = _PLACE.search(text)
    if place is None:
        return Problem(text.strip())
    return Problem(text[: place.start()].strip(), place["file"], int(place["line"]))
