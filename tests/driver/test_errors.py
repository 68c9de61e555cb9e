# SPDX-License-Identifier: Apache-2.0
"""Every error says what happened and what to do."""

import re

import pytest

from hwgen.driver import errors
from hwgen.driver.errors import DriverError, engine_error
from hwgen.program.status import MEANING, ErrorCode

KINDS = {
    ErrorCode.BAD_HEADER: errors.ProgramRejectedError,
    ErrorCode.WRONG_ENGINE: errors.WrongEngineError,
    ErrorCode.UNKNOWN_OPCODE: errors.ProgramRejectedError,
    ErrorCode.OUT_OF_RANGE: errors.ProgramRejectedError,
    ErrorCode.MEMORY: errors.MemoryFaultError,
    ErrorCode.WATCHDOG: errors.EngineStalledError,
}


@pytest.mark.parametrize("kind", DriverError.__subclasses__(), ids=lambda kind: kind.__name__)
def test_docstrings_are_one_sentence_of_two_parts(kind: type[DriverError]) -> None:
    sentence = " ".join((kind.__doc__ or "").split())
    assert re.fullmatch(r"[A-Z][^;.]+; [^;]+[^.]\.", sentence), sentence
    assert isinstance(kind.usable, bool)


@pytest.mark.parametrize("code", [code for code in ErrorCode if code], ids=lambda c: c.name)
def test_error_codes_of_the_engine(code: ErrorCode) -> None:
    error = engine_error(int(code), "image 3")
    assert type(error) is KINDS[code]
    assert str(error).startswith(
        f"image 3: the engine ended with error code {int(code)}, {code.name}: {MEANING[code]}. "
    )


def test_an_error_code_of_a_newer_engine() -> None:
    error = engine_error(99, "run 0")
    assert type(error) is errors.WrongEngineError
    assert "error code 99, which this driver does not know. Install the driver" in str(error)
