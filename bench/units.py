# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.units``: synthesises the units of the nonlinear functions one by one with Yosys
and writes ``bench/units.md``, where they stand beside published ones.
"""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hwgen.emit.rtl import design_sources
from hwgen.estimate.usage import Usage
from hwgen.program.engine import EngineConfig
from hwgen.synthesis.netlist import Netlist
from hwgen.synthesis.paths import timing
from hwgen.synthesis.rtlil import read_design
from hwgen.synthesis.synthesise import elaborate, synthesise
from hwgen.synthesis.units import flat

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class FunctionUnit:
    """A unit of ``kernels_rtl``.

    Attributes:
        module: its name there; its parameters are those of the default engine.
        scope: what it is.
        results: how many it gives a cycle.
        in_engine: how many of it the default engine has.
    """

    function: str
    module: str
    scope: str
    results: str
    in_engine: int


UNITS = (
    FunctionUnit("GELU", "gelu_lane", "a lane: polynomial, requantisation to int8", "1", 64),
    FunctionUnit("Sigmoid", "sigmoid_lane", "a lane: PLAN", "1", 32),
    FunctionUnit(
        "Token decision",
        "token_decision",
        "16 heads: 32 sigmoids, products, sum, counters",
        "1 row",
        1,
    ),
    FunctionUnit("Exponential", "exponential", "polynomial; fills the tables of all lanes", "1", 1),
    FunctionUnit("Reciprocal", "reciprocal", "for each row of softmax", "1", 1),
    FunctionUnit(
        "Softmax", "softmax_row", "64 lanes: row maxima, tables, row sums, both above", "64", 1
    ),
)


@dataclass(frozen=True)
class Published:
    """A unit of HeatViT (HPCA 2023, Table III), and the same function by Vitis HLS' own."""

    function: str
    approximated: Usage
    library: Usage


PUBLISHED = (
    Published("GELU", Usage(ff=334, lut=438, dsp=4), Usage(ff=191_116, lut=160_909, dsp=139)),
    Published("Sigmoid", Usage(ff=1015, lut=1512, dsp=0), Usage(ff=2334, lut=2333, dsp=3)),
    Published("Softmax", Usage(ff=1939, lut=2364, dsp=2), Usage(ff=2464, lut=2476, dsp=3)),
)


def netlists() -> dict[FunctionUnit, Netlist]:
    """What Yosys makes of each of ``UNITS``, from the cache what is there.

    Raises:
        ToolError: Yosys is missing or failed.
    """
    sources = design_sources(EngineConfig())
    designs = [read_design(elaborate(sources, u.module, {}), u.module) for u in UNITS]
    return dict(zip(UNITS, synthesise([flat(design) for design in designs]), strict=True))


def write() -> None:
    """Writes the page. Counts of LUTs may differ by a few from one run to another: Yosys' mapping
    depends on what else it maps in the same run.
    """
    environment = Environment(
        loader=FileSystemLoader(FOLDER, encoding="utf-8"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    rows = [(u, n.usage(), timing(n, {}).inside.delay) for u, n in netlists().items()]
    text = environment.get_template("units.md.j2").render(rows=rows, published=PUBLISHED)
    (FOLDER / "units.md").write_text(text)


if __name__ == "__main__":
    write()
