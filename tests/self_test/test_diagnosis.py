# SPDX-License-Identifier: Apache-2.0
"""Engines with one broken unit each: the self-test names it."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from hwgen.driver.diagnosis import Check, Checks, Diagnosis, Evidence, Unit, diagnose
from hwgen.golden.interpreter import Interpreter
from hwgen.program.engine import EngineConfig
from hwgen.self_test import SelfTest, self_test
from tests.self_test.faults import FAULTS, Fault

ENGINES = {
    "default": EngineConfig(),
    "32 lanes": EngineConfig(32, 40, 120, 500, 600, 200, 128),
    "16 lanes": EngineConfig(16, 24, 60, 150, 250, 130, 128),
}
WRITE = "memory port 0 (write)"

Change = Callable[[np.ndarray], np.ndarray]


@cache
def made(name: str) -> SelfTest:
    return self_test(ENGINES[name])


@pytest.fixture(params=list(ENGINES))
def test(request: pytest.FixtureRequest) -> SelfTest:
    return made(request.param)


def diagnosis(test: SelfTest, change: Change = lambda beats: beats) -> Diagnosis:
    """Of the engine as it is now, where ``change`` is what reading does to beats, uint8 (n, lanes).

    Nonsense in the place of multipliers and shifts may overflow.
    """
    beats = test.program.input.pack(test.images, test.program.engine.lanes)[0]
    program = replace(test.program, weights=change(test.program.weights))
    with np.errstate(all="ignore"):
        found = Interpreter(program).run(change(beats)[None])[0]
    return diagnose(test.checks, test.expected, found)


def test_a_whole_engine_passes(test: SelfTest) -> None:
    found = diagnosis(test)
    assert found == Diagnosis((), (), ())
    assert found.passed and str(found) == "The self-test passed."


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_broken_units_are_named(
    test: SelfTest, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.inject(monkeypatch, test)
    found = diagnosis(test)
    assert found.suspects == (fault.unit,), str(found)


def test_every_unit_is_broken_somewhere(test: SelfTest) -> None:
    # The prefetch buffer in test_executors.py, since the interpreter has none.
    ports = {f"memory port {port} (read)" for port in range(test.program.engine.ports)}
    elsewhere = {WRITE, *ports, "input region", "prefetch buffer"}
    assert {unit.name for unit in test.checks.units} == {f.unit for f in FAULTS} | elsewhere


def bit(number: int, value: int) -> Change:
    """A bit of a word is stuck: of uint8 (n, 16)."""
    mask = np.zeros(16, np.uint8)
    mask[number // 8] = 1 << number % 8
    return lambda words: words | mask if value else words & ~mask


READ = {
    "bit 0 is 0": bit(0, 0),
    "bit 29 is 1": bit(29, 1),
    "bit 55 is 0": bit(55, 0),
    "bit 127 is 1": bit(127, 1),
    "words are late": lambda words: np.roll(words, 1, axis=0),
    "bytes are reversed": lambda words: words[:, ::-1],
    "words are others'": lambda words: np.roll(words, 1234, axis=0),
    "all bits are 0": lambda words: 0 * words,
    "all bits are 1": lambda words: 0 * words + 255,
}


@pytest.mark.parametrize("how", READ)
def test_ports_that_read_wrongly_are_named(test: SelfTest, how: str) -> None:
    ports = test.program.engine.ports
    for port in range(ports):

        def change(beats: np.ndarray, place: int = 16 * port) -> np.ndarray:
            words = READ[how](beats[:, place : place + 16])
            return np.concatenate([beats[:, :place], words, beats[:, place + 16 :]], axis=1)

        suspects = diagnosis(test, change).suspects
        # One port reads and writes everything: which of the two it is may stay open.
        either = {WRITE, "memory port 0 (read)"} if ports == 1 else set[str]()
        assert len(suspects) == 1 and set(suspects) <= either | {f"memory port {port} (read)"}


WRITTEN = {
    "bit 3 is 0": bit(3, 0),
    "bit 78 is 1": bit(78, 1),
    "words are late": lambda words: np.roll(words, 1, axis=0),
    "nothing comes": lambda words: 0 * words,
    "pages are lost": lambda words: np.where(np.arange(len(words))[:, None] // 64 % 2, 0, words),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_a_port_that_writes_wrongly_is_named(test: SelfTest, how: str) -> None:
    words = test.expected.astype("<i2").view(np.uint8).reshape(-1, 16)
    found = WRITTEN[how](words).astype(np.uint8).view("<i2").reshape(test.expected.shape)
    assert diagnose(test.checks, test.expected, found).suspects == (WRITE,)


def test_an_input_that_does_not_arrive_is_named(test: SelfTest) -> None:
    beats = test.program.input.beats(test.program.engine.lanes)
    other = np.random.default_rng(1).integers(0, 256, (beats, test.program.engine.lanes), np.uint8)
    found = diagnosis(test, lambda part: other if len(part) == beats else part)
    assert found.suspects == ("input region",)


def test_two_broken_ports_are_both_named() -> None:
    def change(beats: np.ndarray) -> np.ndarray:
        changed = beats.copy()
        changed[:, 5] |= 4
        changed[:, 40] &= 0xFE
        return changed

    named = diagnosis(made("default"), change).suspects
    assert named == ("memory port 0 (read)", "memory port 2 (read)")


def test_any_wrong_number_has_a_suspect(test: SelfTest) -> None:
    rng = np.random.default_rng(0)
    for check in test.checks.checks:
        found = test.expected.copy()
        found[check.first + rng.integers(check.vectors), rng.integers(found.shape[1])] ^= 1
        named = diagnose(test.checks, test.expected, found)
        assert named.suspects and named.failed == (check.name,) and not named.passed


A, B = Check("a", 0, 1), Check("b", 1, 1)
TWO = Checks(
    (A, B), (Unit("first", (Evidence("a"),)), Unit("second", (Evidence("b"),), ("first",)))
)


def test_what_people_read() -> None:
    expected = np.zeros((2, 16), np.int16)
    found = diagnose(TWO, expected, expected + np.int16(1))
    assert found == Diagnosis(("first",), ("second",), ("a", "b"))
    assert str(found) == "The self-test failed. Suspected: first. Fails with that: second."


@pytest.mark.parametrize("name", ENGINES)
def test_json_round_trip(name: str) -> None:
    checks = made(name).checks
    assert Checks.from_json(json.loads(json.dumps(checks.to_json()))) == checks


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.pop("units"),
        lambda fields: fields.update(version=2),
        lambda fields: fields.update(format="hwgen-model"),
        lambda fields: fields["checks"][0].pop("first"),
        lambda fields: fields["checks"][0].update(more=1),
        lambda fields: fields["checks"][0].update(name="c"),
        lambda fields: fields["units"][0].update(needs=["second"]),
        lambda fields: fields["units"][0].update(evidence=[]),
        lambda fields: fields["units"][1]["evidence"][0].update(lanes=None),
    ],
)
def test_other_json_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    fields = json.loads(json.dumps(TWO.to_json()))
    change(fields)
    with pytest.raises((LookupError, TypeError, ValueError)):
        Checks.from_json(fields)
