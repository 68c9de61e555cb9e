# SPDX-License-Identifier: Apache-2.0
"""Program files: a round trip, and a message for every kind of damage."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwgen.emit.plan import BuildPlan
from hwgen.emit.program_files import MODEL, PROGRAM, WEIGHTS, listing, program_files, read_program
from hwgen.errors import ProgramError
from hwgen.program.program import Program


@pytest.fixture
def folder(program: Program, tmp_path: Path) -> Path:
    BuildPlan(program_files(program)).write(tmp_path / "build")
    return tmp_path / "build" / "program"


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads((folder / MODEL).read_text())
    change(data)
    (folder / MODEL).write_text(json.dumps(data))


@pytest.mark.parametrize("lanes", [16, 32, 64])
def test_round_trip(make_program: Callable[..., Program], tmp_path: Path, lanes: int) -> None:
    program = replace(make_program(lanes), name="Müller's ViT", classes=("Ω", "b c"))
    BuildPlan(program_files(program)).write(tmp_path / "build")
    for place in (tmp_path / "build", tmp_path / "build" / "program"):
        found = read_program(place)
        for field in fields(Program):
            if field.name != "weights":
                assert getattr(found, field.name) == getattr(program, field.name)
        np.testing.assert_array_equal(found.weights, program.weights)
        assert found.weights.dtype == np.uint8


def test_equal_programs_make_equal_files(make_program: Callable[..., Program]) -> None:
    assert program_files(make_program()) == program_files(make_program())


def test_the_listing_is_aligned_and_labelled(program: Program) -> None:
    lines = listing(program).splitlines()[2:]
    assert len(lines) == len(program.instructions)
    columns = {line.index(op) for line, op in zip(lines, OPCODES, strict=True)}
    assert len(columns) == 1
    assert lines[8].startswith("   8  block 0 fc1        MATMUL      rows_register=1 ")
    assert lines[-1].endswith("END")


OPCODES = ["SET_TOKENS", "LOAD", "LOAD", *["MATMUL"] * 4, "ATTENTION", *["MATMUL"] * 3, "END"]


@pytest.mark.parametrize("name", [MODEL, PROGRAM, WEIGHTS])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ProgramError, match=rf"program/{name} is missing\. Name a folder that 'hwg"):
        read_program(folder.parent)


@pytest.mark.parametrize("name", [PROGRAM, WEIGHTS])
def test_a_changed_or_short_binary_is_named(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[100] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(ProgramError, match=f"{name} does not have the SHA-256 that model.json"):
        read_program(folder)
    (folder / name).write_bytes(data[:-1])
    with pytest.raises(ProgramError, match=rf"{name} has \d+ bytes, model.json says \d+: the file"):
        read_program(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(version=2), r"has format version 2; this hwgen reads version 1\."),
        (lambda d: d.pop("format"), r"has no 'hwgen-model' mark"),
        (lambda d: d.pop("engine"), r"damaged: engine: Field required"),
        (lambda d: d.update(extra=1), r"damaged: extra: Extra inputs are not permitted"),
        (lambda d: d["output"].update(scale="1"), r"damaged: output\.scale: Input should be a"),
        (lambda d: d["engine"].update(lanes=48), r"damaged: engine\.lanes is 48"),
        (lambda d: d["engine"].update(max_rows=17), r"gives the engine digest 0x\w+, its fields"),
        (lambda d: d["files"].pop(WEIGHTS), r"damaged: it does not list weights\.bin"),
        (lambda d: d["labels"].pop(), r"damaged: it does not belong to the binaries beside it"),
        (lambda d: d.update(weight_beats=9**9), r"damaged: it does not belong to the binaries"),
    ],
)
def test_a_damaged_model_file(
    folder: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    edit(folder, change)
    with pytest.raises(ProgramError, match=message):
        read_program(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00"])
def test_a_model_file_that_is_no_json(folder: Path, text: str) -> None:
    (folder / MODEL).write_text(text)
    with pytest.raises(ProgramError, match=r"damaged: not JSON|no 'hwgen-model' mark"):
        read_program(folder)
