# SPDX-License-Identifier: Apache-2.0
"""Reads the modules of an elaborated design from Yosys' text form (RTLIL).

Elaboration makes a module of every instance, named after its place. Modules that differ in their
place alone are one `Module` here, so that 64 equal lanes are synthesised once.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

_CELL = re.compile(r"^  cell (\\\S+) (\S+)$", re.MULTILINE)
_REMARK = re.compile(r"^ *attribute \\(?:src|hdlname|top|keep_hierarchy)\b.*\n", re.MULTILINE)
"""Attributes that do not change what a module is. What is kept apart is decided by `units`."""
_COUNTED = re.compile(r"(\$[a-z]+\$)(\d+)")
"""Names of wires and cells that Yosys made, with a number that counts over the whole design."""
_BLACK_BOX = re.compile(r"(?:attribute .*\n)*attribute \\blackbox 1'1$", re.MULTILINE)


@dataclass(frozen=True, eq=False)
class Module:
    """A module of the design.

    Attributes:
        name: ``module_`` and a digest of its text and of the modules in it.
        kind: its name in the source.
        text: its RTLIL, where modules inside are called by their new names.
        children: (instance, module) of the modules inside, in order; primitives are not among them.
    """

    name: str
    kind: str
    text: str
    children: tuple[tuple[str, "Module"], ...]


def read_design(text: str, top: str) -> Module:
    """The module ``top`` with all below it."""
    found = {name: body for name, body in _modules(text) if not _BLACK_BOX.match(body)}
    by_name: dict[str, Module] = {}

    def module_of(name: str) -> Module:
        inside: list[tuple[str, Module]] = []

        def rename(match: re.Match[str]) -> str:
            kind, instance = match[1].removeprefix("\\"), match[2]
            if kind not in found:
                return match[0]
            child = module_of(kind)
            inside.append((instance.removeprefix("\\"), child))
            return f"  cell \\{child.name} {instance}"

        body = _CELL.sub(rename, _renumber(_REMARK.sub("", found[name])))
        # The name is the module's place: it is left out of the digest.
        before, _, after = body.partition("module ")
        content = after.partition("\n")[2]
        digest = hashlib.sha256((before + content).encode()).hexdigest()[:20]
        kind = name.partition("$")[0]
        unique = f"{kind}_{digest}"
        if unique not in by_name:
            by_name[unique] = Module(
                unique, kind, f"{before}module \\{unique}\n{content}", tuple(inside)
            )
        return by_name[unique]

    return module_of(top)


def _renumber(text: str) -> str:
    """``text`` with the numbers of made names counted from its beginning."""
    numbers: dict[str, int] = {}
    return _COUNTED.sub(lambda m: f"{m[1]}{numbers.setdefault(m[2], len(numbers))}", text)


def _modules(text: str) -> Iterator[tuple[str, str]]:
    """(name, RTLIL with the attributes before it) of each module."""
    lines: list[str] = []
    name = ""
    for line in text.splitlines(keepends=True):
        if not lines and not line.startswith(("attribute ", "module ")):
            continue
        lines.append(line)
        if line.startswith("module "):
            name = line.removeprefix("module ").strip().removeprefix("\\")
        elif line == "end\n":
            yield name, "".join(lines)
            lines = []
