# SPDX-License-Identifier: Apache-2.0
"""A difference between C simulation and the reference interpreter is found and named."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from hwgen.emit.hls import hls_project
from hwgen.errors import VerificationError
from hwgen.golden.interpreter import Interpreter
from hwgen.program.program import Program
from hwgen.sim import verify
from hwgen.sim.csim import CsimResult
from hwgen.sim.csim import run_csim as real_run_csim
from hwgen.sim.verify import verify_csim

Images = Callable[..., np.ndarray]


@pytest.fixture
def files(program: Program, make_images: Images) -> dict[str, bytes]:
    return hls_project(program, "xczu9eg-ffvb1156-2-e", 250, make_images(1, program))


def change(files: Mapping[str, bytes], name: str, old: bytes, new: bytes) -> dict[str, bytes]:
    """The project with one mistake in it."""
    assert files[name].count(old) == 1
    return {**files, name: files[name].replace(old, new)}


def test_equal(files: dict[str, bytes], program: Program, make_images: Images) -> None:
    beats = make_images(20, program)
    result = verify_csim(files, program, beats, trace=True)
    np.testing.assert_array_equal(result.outputs, Interpreter(program).run_all(beats))
    verify_csim(files, program, beats, expected=result.outputs)


def test_a_mistake_in_a_kernel_is_named(
    files: dict[str, bytes], program: Program, make_images: Images
) -> None:
    clip = b"GELU_CLIP = 2562"
    wrong = change(files, "hls/kernels/gelu.hpp", clip, b"GELU_CLIP = 2000")
    with pytest.raises(
        VerificationError,
        match=r"differs .* in \d of 3 images\. First: image \d, instruction 8 \(block 0 fc1\), "
        r"slice \d, row \d, lane \d+: expected -?\d+, found -?\d+\.$",
    ):
        verify_csim(wrong, program, make_images(3, program))


def test_a_wrong_output_that_no_single_run_shows(
    files: dict[str, bytes],
    program: Program,
    make_images: Images,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def spoilt(*arguments: object, **options: object) -> CsimResult:
        result = real_run_csim(*arguments, **options)  # type: ignore[arg-type]
        result.outputs[1, 0, 2] += 5
        return result

    monkeypatch.setattr(verify, "run_csim", spoilt)
    with pytest.raises(VerificationError, match=r"image 1, output vector 0, lane 2: .* depends on"):
        verify_csim(files, program, make_images(3, program))


def test_runs_are_named_with_their_images(
    files: dict[str, bytes],
    program: Program,
    make_images: Images,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The five patches of a run stand for five images of one patch.
    many = replace(program, input=replace(program.input, height=4, batch=5))
    beats = make_images(3, program)
    assert many.input.beats(16) == beats.shape[1]
    clip = b"GELU_CLIP = 2562"
    wrong = change(files, "hls/kernels/gelu.hpp", clip, b"GELU_CLIP = 2000")
    with pytest.raises(
        VerificationError,
        match=r"in \d of 3 runs of 5 images\. First: run \d \(images \d+ to \d+\), instruction 8 ",
    ):
        verify_csim(wrong, many, beats)

    def spoilt(*arguments: object, **options: object) -> CsimResult:
        result = real_run_csim(*arguments, **options)  # type: ignore[arg-type]
        result.outputs[1, 3, 2] += 5
        return result

    five = replace(many, output=replace(program.output, rows=5))
    monkeypatch.setattr(verify, "run_csim", spoilt)
    with pytest.raises(
        VerificationError, match=r"First: image 8 \(run 1\), output vector 3, lane 2: "
    ):
        verify_csim(files, five, beats)


def test_error_codes_are_compared(
    files: dict[str, bytes], program: Program, make_images: Images
) -> None:
    beats = make_images(1, program)
    steps = list(program.instructions)
    steps[7] = replace(steps[7], destination_address=120)
    illegal = replace(program, instructions=tuple(steps))
    assert verify_csim(files, illegal, beats).errors.tolist() == [4]

    other = replace(program, engine=replace(program.engine, max_rows=15))
    with pytest.raises(
        VerificationError,
        match=r"^C simulation of image 0 ended with error code 2 \(.*\); the reference interpreter "
        r"ends with 0 \(.*\)\. First: image 0, instruction 1 \(positions\) did not finish, error "
        r"code 2\.$",
    ):
        verify_csim(files, other, beats)
