# SPDX-License-Identifier: Apache-2.0
"""Which unit of the engine is at fault, from the numbers of the self-test that came out wrong.

The self-test writes its output in parts, each one the result of a check. A unit is suspected when
all its evidence holds: certain checks failed, some of them in certain lanes. Since a unit works
with what others bring it, one that is broken makes others fail, too: those are consequences.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

FORMAT, VERSION = "hwgen-self-test", 1
NAMED = 3
"""Consequences that a message names, at most."""


@dataclass(frozen=True)
class Check:
    """A part of the output region: ``vectors`` vectors from ``first``."""

    name: str
    first: int
    vectors: int


@dataclass(frozen=True)
class Evidence:
    """Holds when the check failed, and at least ``share`` of its wrong numbers, one of them at
    least, lie in these lanes (none given: in any).
    """

    check: str
    lanes: tuple[int, ...] = ()
    share: float = 0.0


@dataclass(frozen=True)
class Unit:
    """A part of the engine that the self-test can name.

    Attributes:
        evidence: all of it holds when the unit is at fault.
        needs: units without which it cannot work.
    """

    name: str
    evidence: tuple[Evidence, ...]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checks:
    """What a self-test checks, and what that says: ``checks.json``.

    ``units`` begin with the basic ones; each one needs only units before it.
    """

    checks: tuple[Check, ...]
    units: tuple[Unit, ...]

    def __post_init__(self) -> None:
        """Raises ValueError where a name means nothing."""
        checks, before = {check.name for check in self.checks}, set[str]()
        for unit in self.units:
            strange = {e.check for e in unit.evidence} - checks | set(unit.needs) - before
            if strange or not unit.evidence:
                raise ValueError(f"unit {unit.name!r}: {sorted(strange) or 'no evidence'}")
            before.add(unit.name)

    def to_json(self) -> dict[str, Any]:
        """What ``from_json`` reads: objects, lists, strings and numbers."""
        return {"format": FORMAT, "version": VERSION, **asdict(self)}

    @staticmethod
    def from_json(fields: dict[str, Any]) -> "Checks":
        """The content of a ``checks.json``.

        Raises:
            LookupError, TypeError, ValueError: it is none.
        """
        if (fields["format"], fields["version"]) != (FORMAT, VERSION):
            raise ValueError(f"{fields['format']} {fields['version']}, not {FORMAT} {VERSION}")
        return Checks(
            tuple(Check(**check) for check in fields["checks"]),
            tuple(
                Unit(
                    unit["name"],
                    tuple(Evidence(**e | {"lanes": tuple(e["lanes"])}) for e in unit["evidence"]),
                    tuple(unit["needs"]),
                )
                for unit in fields["units"]
            ),
        )


@dataclass(frozen=True)
class Diagnosis:
    """What a self-test found, by name.

    Attributes:
        suspects: units at fault, the basic ones first; none only where nothing is wrong.
        consequences: units that fail as well, but cannot work without a suspect.
        failed: checks with a wrong number.
    """

    suspects: tuple[str, ...]
    consequences: tuple[str, ...]
    failed: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.failed

    def __str__(self) -> str:
        if self.passed:
            return "The self-test passed."
        text = f"The self-test failed. Suspected: {', '.join(self.suspects)}."
        others = [*self.consequences[:NAMED]]
        if more := len(self.consequences) - len(others):
            others.append(f"{more} more")
        return text + (f" Fails with that: {', '.join(others)}." if others else "")


def diagnose(checks: Checks, expected: np.ndarray, found: np.ndarray) -> Diagnosis:
    """Names what is at fault.

    Args:
        expected, found: the output region as it should be and as it is, int16 (vectors, lanes).
    """
    wrong = expected != found
    by_lane = {c.name: wrong[c.first : c.first + c.vectors].sum(axis=0) for c in checks.checks}
    failed = tuple(name for name, lanes in by_lane.items() if lanes.any())
    if not failed:
        return Diagnosis((), (), ())

    def holds(evidence: Evidence) -> bool:
        lanes = by_lane[evidence.check]
        here = lanes[list(evidence.lanes)].sum() if evidence.lanes else lanes.sum()
        return bool(here > 0 and here >= evidence.share * lanes.sum())

    proof = {unit.name: np.mean([holds(e) for e in unit.evidence]) for unit in checks.units}
    # Where no unit has all its evidence against it, those with the most of it.
    most = max(proof.values())
    suspected = {name for name, share in proof.items() if share == most}
    consequences = _consequences(checks, suspected)
    names = [unit.name for unit in checks.units if unit.name in suspected]
    return Diagnosis(
        tuple(name for name in names if name not in consequences),
        tuple(name for name in names if name in consequences),
        failed,
    )


def _consequences(checks: Checks, suspected: set[str]) -> set[str]:
    """Suspected units that need, at any remove, another one."""
    spoilt: set[str] = set()
    for unit in checks.units:
        if not (suspected | spoilt).isdisjoint(unit.needs):
            spoilt.add(unit.name)
    return spoilt & suspected
