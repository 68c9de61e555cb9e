# SPDX-License-Identifier: Apache-2.0
"""``hwgen.bit`` and ``hwgen.hwh``: Vivado's where it has been run, else those of simulation."""

from dataclasses import dataclass

from hwgen.deploy.manifest import Bitstream
from hwgen.design import Design
from hwgen.emit.hwh import hwh
from hwgen.errors import OutputError
from hwgen.rehearsal.bitstream import simulation_bitstream
from hwgen.vivado.outputs import Synthesis, read_outputs

BITSTREAM, HANDOFF = "hwgen.bit", "hwgen.hwh"
"""pynq wants one stem for both."""


@dataclass(frozen=True)
class Overlay:
    """The contents of the two files, and what made them."""

    bitstream: bytes
    handoff: bytes
    made: Bitstream


def overlay(design: Design) -> Overlay:
    """What ``hwgen synth`` left in the design's folder; the simulation's where it has not been run.

    Raises:
        OutputError: Vivado's files are damaged, or of another state of the design.
    """
    found = None if design.directory is None else read_outputs(design.directory)
    if found is None:
        made = Bitstream(made_by="simulation", engine="rtl", tool=None)
        handoff = hwh(design.board, design.program.engine)
        return Overlay(simulation_bitstream(handoff, design.board.part), handoff, made)
    _check(found, design)
    tools = ", ".join(filter(None, (found.tool, found.hls_tool)))
    made = Bitstream(made_by="vivado", engine=found.engine, tool=tools)
    return Overlay(found.bitstream.read_bytes(), found.handoff.read_bytes(), made)


def _check(found: Synthesis, design: Design) -> None:
    """Vivado worked for the board and the clock of this design.

    Raises:
        OutputError: names what differs.
    """
    pairs = (
        ("FPGA", found.part, design.board.part),
        ("clock in MHz", f"{found.clock_mhz:g}", f"{design.summary.clock_mhz:g}"),
    )
    for what, theirs, ours in pairs:
        if theirs != ours:
            raise OutputError(
                f"The bitstream {found.bitstream} was made for another {what} ({theirs}) than this "
                f"design ({ours}). Run 'hwgen synth {design.directory}' again."
            )
