# SPDX-License-Identifier: Apache-2.0
"""Sizes and paths of the SystemVerilog after synthesis, against what is predicted."""

import pytest

from hwgen.estimate.resources import predict_resources
from hwgen.program.engine import EngineConfig
from hwgen.synthesis.delay import Delay
from hwgen.synthesis.engine import Synthesis, synthesise_engine
from hwgen.synthesis.paths import timing
from hwgen.synthesis.rtlil import read_design
from hwgen.synthesis.synthesise import elaborate, synthesise
from hwgen.synthesis.units import flat
from sim.runner import MAC_ARRAY

LANES = 64
TREE_REGISTERS = 2 * (4 * 19 + 2 * 20 + 21)
STROBE_REGISTERS = 3 * 8


def test_the_size_of_a_column_pair() -> None:
    """Packing, splitting and the sign of the low lane cost nothing beside the adder trees."""
    sources = {path.name: path.read_bytes() for path in MAC_ARRAY}
    text = elaborate(sources, "column_pair", {"LANES": LANES, "PRIMITIVE": 1})
    (pair,) = synthesise([flat(read_design(text, "column_pair"))])
    usage = pair.usage()
    assert usage.dsp == LANES
    assert usage.ff == TREE_REGISTERS + STROBE_REGISTERS
    assert usage.lut <= TREE_REGISTERS
    assert not pair.count("RAM", "SRL")
    # One adder between two registers.
    assert timing(pair, {}).inside.delay == Delay(luts=1, chains=1)


@pytest.fixture(scope="module")
def small() -> Synthesis:
    return synthesise_engine(EngineConfig(lanes=16))


@pytest.mark.parametrize("kind", ["lut", "ff", "dsp", "bram36"])
def test_the_prediction_is_within_a_tenth(small: Synthesis, kind: str) -> None:
    predicted = getattr(predict_resources(EngineConfig(lanes=16)).total, kind)
    assert getattr(small.resources.total, kind) == pytest.approx(predicted, rel=0.1)


def test_memories_are_where_they_are_meant_to_be(small: Synthesis) -> None:
    modules = small.resources.modules
    for name in ("residual_buffer", "work_buffer", "value_buffer", "score_buffer", "accumulator"):
        assert modules[name].bram36, name
    assert not modules["tiles"].bram36  # 16 banks of bytes in LUTs
    assert modules["prefetch_buffer"].ff < 1000


def test_every_path_is_short(small: Synthesis) -> None:
    """At 16 lanes Yosys maps one path of control a level longer than at 64."""
    most = {"control": Delay(7)}
    long = {
        name: str(path.delay)
        for name, path in small.paths.items()
        if not path.delay.allowed and path.delay.rank > most.get(name, Delay()).rank
    }
    assert not long
