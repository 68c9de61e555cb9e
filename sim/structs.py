# SPDX-License-Identifier: Apache-2.0
"""Packed structs and enumerations of ``engine_pkg``, read from its source: what a port that carries
one means.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from sim.runner import KERNELS


@cache
def _package() -> str:
    return re.sub(r"//.*", "", (KERNELS / "engine_pkg.sv").read_text())


@cache
def enumeration(name: str) -> dict[str, int]:
    """The members of an enumeration and their values."""
    found = re.search(r"typedef enum logic \[\d+:0\] \{([^}]*)\} " + name, _package())
    assert found, name
    return {member.strip(): value for value, member in enumerate(found[1].split(","))}


def _width(kind: str) -> int:
    if found := re.fullmatch(r"logic \[(\d+):0\]", kind):
        return int(found[1]) + 1
    if kind == "logic":
        return 1
    found = re.search(r"typedef enum logic \[(\d+):0\] \{[^}]*\} " + kind, _package())
    assert found, kind
    return int(found[1]) + 1


@dataclass(frozen=True)
class Struct:
    """The fields of a packed struct with their widths, the highest bits first."""

    fields: tuple[tuple[str, int], ...]

    def unpack(self, word: object) -> dict[str, int]:
        """The fields of a port's value."""
        rest, values = int(word), {}  # type: ignore[call-overload]
        for name, width in reversed(self.fields):
            values[name] = rest & (1 << width) - 1
            rest >>= width
        return values

    def pack(self, values: Mapping[str, int]) -> int:
        """Fields that are not given are zero."""
        word = 0
        for name, width in self.fields:
            value = values.get(name, 0)
            assert 0 <= value < 1 << width, name
            word = word << width | value
        assert set(values) <= {name for name, _ in self.fields}
        return word


@cache
def struct(name: str) -> Struct:
    """A packed struct of ``engine_pkg`` by the name of its type."""
    found = re.search(r"typedef struct packed \{([^}]*)\} " + name, _package())
    assert found, name
    lines = [line.strip().rsplit(" ", 1) for line in found[1].split(";") if line.strip()]
    return Struct(tuple((field, _width(kind.strip())) for kind, field in lines))
