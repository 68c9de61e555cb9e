# SPDX-License-Identifier: Apache-2.0
"""What the nonlinear functions take, each unit synthesised alone, and what was published."""

from dataclasses import dataclass

from hwgen.emit.rtl import design_sources
from hwgen.estimate.usage import Usage
from hwgen.program.engine import EngineConfig
from hwgen.synthesis.netlist import Netlist
from hwgen.synthesis.rtlil import read_design
from hwgen.synthesis.synthesise import elaborate, synthesise
from hwgen.synthesis.units import flat


@dataclass(frozen=True)
class FunctionUnit:
    """A unit of ``kernels_rtl``.

    Attributes:
        module: its name there; its parameters are those of the default engine.
        scope: what it is.
        values: how many results it gives a cycle.
    """

    function: str
    module: str
    scope: str
    values: str


UNITS = (
    FunctionUnit("GELU", "gelu_lane", "one lane, polynomial and requantisation to int8", "1"),
    FunctionUnit("Sigmoid", "sigmoid_lane", "one lane, PLAN", "1"),
    FunctionUnit(
        "Token decision",
        "token_decision",
        "16 heads: 32 sigmoids, their products and sum, counters",
        "1 row",
    ),
    FunctionUnit("Exponential", "exponential", "the polynomial; fills the lanes' tables", "1"),
    FunctionUnit("Reciprocal", "reciprocal", "one a row", "1"),
    FunctionUnit(
        "Softmax",
        "softmax_row",
        "64 lanes: maxima and sums of rows, tables, the two units above",
        "64",
    ),
)
"""In the order of the table in docs/architecture.md."""

PUBLISHED = {
    "GELU": (Usage(ff=334, lut=438, dsp=4), Usage(ff=191_116, lut=160_909, dsp=139)),
    "Sigmoid": (Usage(ff=1015, lut=1512), Usage(ff=2334, lut=2333, dsp=3)),
    "Softmax": (Usage(ff=1939, lut=2364, dsp=2), Usage(ff=2464, lut=2476, dsp=3)),
}
"""HeatViT, HPCA 2023, Table III: its approximations, and the functions of Vitis HLS."""


def synthesise_functions() -> dict[FunctionUnit, Netlist]:
    """The netlist of each of ``UNITS``, from the cache what is there.

    Raises:
        ToolError: Yosys is missing or failed.
    """
    sources = design_sources(EngineConfig())
    designs = [read_design(elaborate(sources, u.module, {}), u.module) for u in UNITS]
    return dict(zip(UNITS, synthesise([flat(design) for design in designs]), strict=True))
