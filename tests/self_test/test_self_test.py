# SPDX-License-Identifier: Apache-2.0
"""The self-test's program: for any engine, in no time, of everything."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwgen.driver.diagnosis import Checks
from hwgen.emit.plan import BuildPlan
from hwgen.emit.program_files import read_program
from hwgen.errors import FitError
from hwgen.estimate.cycles import estimate_cycles
from hwgen.program.engine import EngineConfig
from hwgen.program.extent import parameter_beats
from hwgen.program.fields import FIELDS, Buffer, Opcode, Region
from hwgen.program.instructions import Load, Matmul
from hwgen.self_test import self_test
from hwgen.self_test.files import self_test_files
from hwgen.self_test.make import CHECKS, SMALLEST

LARGEST = {name: 65535 for name in SMALLEST}


@pytest.mark.parametrize(
    "engine",
    [
        *(EngineConfig(lanes) for lanes in (16, 32, 64)),
        *(EngineConfig(lanes, **SMALLEST, prefetch_depth=64) for lanes in (16, 32, 64)),
        *(EngineConfig(lanes, **LARGEST, prefetch_depth=65536) for lanes in (16, 64)),
        *(EngineConfig(32, **(SMALLEST | {name: 65535})) for name in SMALLEST),
        *(EngineConfig(32, **(LARGEST | {name: least})) for name, least in SMALLEST.items()),
    ],
    ids=str,
)
def test_any_engine_has_one(engine: EngineConfig) -> None:
    test = self_test(engine)
    program, checks = test.program, test.checks.checks
    beats = program.input.pack(test.images, engine.lanes)
    assert beats.shape == (1, program.input.beats(engine.lanes), engine.lanes)
    np.testing.assert_array_equal(beats[0], test.images[0, :, 0])
    assert test.expected.shape == (program.output.vectors(engine.lanes), engine.lanes)
    assert test.expected.dtype == np.int16
    np.testing.assert_array_equal(program.output.unpack(test.expected[None])[0], test.expected)
    # The parts of the output are all of it, in order, and all of them tell something.
    assert [check.name for check in checks] == [name for name, _ in CHECKS]
    ends = [check.first + check.vectors for check in checks]
    assert [check.first for check in checks] == [0, *ends[:-1]] and ends[-1] == len(test.expected)
    for check in checks:
        part = test.expected[check.first : check.first + check.vectors]
        assert (part != 0).mean() > 0.2
    used = {e.check for unit in test.checks.units for e in unit.evidence}
    assert used == {check.name for check in checks}


@pytest.mark.parametrize("name", SMALLEST)
def test_engines_that_are_too_small_are_refused(name: str) -> None:
    with pytest.raises(FitError) as refused:
        self_test(EngineConfig(16, **(SMALLEST | {name: SMALLEST[name] - 1})))
    assert str(refused.value) == (
        f"engine.{name} is {SMALLEST[name] - 1}; the self-test needs {SMALLEST[name]}. Raise it, "
        "no network fits a smaller engine."
    )


def test_it_takes_less_than_a_millisecond() -> None:
    assert estimate_cycles(self_test(EngineConfig()).program).total < 200_000  # at 300 MHz


def test_every_field_of_every_instruction_is_used() -> None:
    instructions = self_test(EngineConfig()).program.instructions
    for opcode in Opcode:
        these = [op for op in instructions if op.opcode == opcode]
        assert these
        for field in FIELDS[opcode]:
            values = {getattr(op, field.name) for op in these}
            assert len(values) > 1 and any(values), f"{opcode.name} {field.name}"


def test_every_buffer_is_reached_to_its_last_vector() -> None:
    engine = EngineConfig()
    instructions = self_test(engine).program.instructions
    loads = [op for op in instructions if isinstance(op, Load)]
    ends = {(op.destination_buffer, op.destination_address + op.vectors) for op in loads}
    products = [op for op in instructions if isinstance(op, Matmul)]
    ends |= {(op.destination_buffer, op.destination_address + op.rows) for op in products}
    assert ends >= {
        (Buffer.RESIDUAL, engine.residual_depth),
        (Buffer.WORK, engine.work_depth),
        (Buffer.VALUE, engine.value_depth),
    }
    assert {(op.region, op.destination_buffer) for op in loads} == {
        (region, buffer) for region in Region for buffer in (Buffer.RESIDUAL, Buffer.WORK)
    }
    assert max(op.rows for op in products) == engine.max_rows


def test_more_weights_than_the_prefetch_buffer_holds_come_in_one_go() -> None:
    engine = EngineConfig()
    program = self_test(engine).program
    steps = zip(program.labels, program.instructions, strict=True)
    products = [op for label, op in steps if label == "prefetch" and isinstance(op, Matmul)]
    assert sum(parameter_beats(op, engine) for op in products) > engine.prefetch_depth
    # They are asked for while copies run: the engine decodes 32 instructions ahead.
    labels = [label for label in program.labels if label == "prefetch"]
    assert len(labels) <= 32


def test_what_is_written_comes_from_what_was_written(tmp_path: Path) -> None:
    """Whatever buffers hold before the run, it gives the same."""
    from hwgen.golden.interpreter import Interpreter, Memory

    test = self_test(EngineConfig(16, 24, 60, 150, 250, 130, 128))
    beats = test.program.input.pack(test.images, 16)

    class Dirty(Memory):
        def __init__(self, engine: EngineConfig, batch: int, vectors: int) -> None:
            super().__init__(engine, batch, vectors)
            rng = np.random.default_rng(3)
            for array in self._arrays.values():
                array[:] = rng.integers(-127, 128, array.shape)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hwgen.golden.interpreter.Memory", Dirty)
        found = Interpreter(test.program).run(beats)[0]
    np.testing.assert_array_equal(found, test.expected)


def test_files(tmp_path: Path) -> None:
    engine = EngineConfig(32, 40, 120, 500, 600, 200, 128)
    files = self_test_files(engine)
    assert files == self_test_files(engine)
    assert list(files) == [
        "model.json", "program.txt", "program.bin", "weights.bin",
        "input.npy", "expected.npy", "checks.json",
    ]  # fmt: skip
    BuildPlan(files).write(tmp_path / "self_test")
    test, program = self_test(engine), read_program(tmp_path / "self_test")
    assert replace(program, weights=test.program.weights) != program
    np.testing.assert_array_equal(program.image, test.program.image)
    for name, array in (("input.npy", test.images), ("expected.npy", test.expected)):
        found = np.load(io.BytesIO(files[name]), allow_pickle=False)
        np.testing.assert_array_equal(found, array)
        assert found.dtype == array.dtype
    assert Checks.from_json(json.loads(files["checks.json"])) == test.checks


def test_what_boards_need_takes_numpy_alone() -> None:
    script = (
        "import sys, numpy; before = set(sys.modules);"
        "import hwgen.driver.diagnosis, hwgen.driver.kept_patches;"
        "names = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(*(names - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "hwgen\n"
