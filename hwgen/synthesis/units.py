# SPDX-License-Identifier: Apache-2.0
"""Cuts a design into the units that are synthesised each for itself."""

import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache

from hwgen.synthesis.rtlil import Module

_PORT = re.compile(r"^  wire (?:.* )?(?:input|output) .*$", re.MULTILINE)

TOP = "unit"
"""The name of the unit's module in its own text."""


@dataclass(frozen=True, eq=False)
class Unit:
    """Modules that are synthesised together, flat.

    Attributes:
        kind: name of the outermost module.
        text: RTLIL of all of them; the outermost is called ``unit``, units inside are black boxes.
            It stays the same when a unit inside changes.
        inside: the units inside by the names they have in ``text``.
    """

    kind: str
    text: str
    inside: dict[str, "Unit"]


def flat(module: Module) -> Unit:
    """A module and all in it as one unit."""
    return _unit(module, lambda parent, child: False, flat)


def cut(top: Module, open_kinds: Collection[str], apart: Collection[str] = ()) -> Unit:
    """The units of a design: each child of ``top`` and of the modules in it of ``open_kinds``, and
    in each of them what is of a kind ``apart`` or stands there twice or more, such as the lanes of
    a vector unit.

    All else is flat, so that logic is optimised across the borders of small modules.
    """
    lane = cache(flat)

    @cache
    def part(module: Module) -> Unit:
        counts = Counter(child.name for _, child in module.children)
        return _unit(
            module,
            lambda parent, child: (
                parent is module and (counts[child.name] > 1 or child.kind in apart)
            ),
            lane,
        )

    def outside(parent: Module, child: Module) -> bool:
        return (parent is top or parent.kind in open_kinds) and child.kind not in open_kinds

    return _unit(top, outside, part)


def _unit(
    module: Module, apart: Callable[[Module, Module], bool], inner: Callable[[Module], Unit]
) -> Unit:
    flat: dict[str, Module] = {}
    boxes: dict[str, Module] = {}

    def visit(parent: Module) -> None:
        flat[parent.name] = parent
        for _, child in parent.children:
            if apart(parent, child):
                boxes[child.name] = child
            elif child.name not in flat:
                visit(child)

    visit(module)
    # A number in place of the digest: the text must not change with what is inside a black box.
    names = {name: f"{child.kind}_{index}" for index, (name, child) in enumerate(boxes.items())}
    text = "".join(child.text for child in flat.values())
    text += "".join(_black_box(child, names[name]) for name, child in boxes.items())
    for name, local in {**names, module.name: TOP}.items():
        text = text.replace(name, local)
    return Unit(module.kind, text, {names[name]: inner(child) for name, child in boxes.items()})


def _black_box(module: Module, name: str) -> str:
    """RTLIL of a module with the same ports and nothing inside."""
    ports = "\n".join(_PORT.findall(module.text))
    return f"attribute \\blackbox 1\nmodule \\{name}\n{ports}\nend\n"
