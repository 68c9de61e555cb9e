# SPDX-License-Identifier: Apache-2.0
"""Rewrites the generated tables of docs/*.md: ``python docs/generate.py``.

A table stands between ``<!-- name -->`` and ``<!-- end -->``; a test checks that each is current.
"""

import re
from pathlib import Path

from hwgen.config import Config
from hwgen.deploy.manifest import Manifest
from hwgen.driver.errors import DriverError
from hwgen.numerics.error_bounds import error_bounds
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import FIELDS, Buffer, Opcode, Region
from hwgen.program.registers import Register, register_map
from hwgen.program.status import MEANING
from hwgen.report.keys import keys
from hwgen.report.schema import Report
from hwgen.self_test.units import units

DOCS = Path(__file__).parent
BLOCK = re.compile(r"(<!-- ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(header: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """A Markdown table."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def field_table(opcode: Opcode) -> str:
    """The fields of one instruction in the order of their position."""
    fields = sorted(FIELDS[opcode], key=lambda field: (field.word, field.low))
    rows: list[tuple[object, ...]] = [
        (f.word, f"{f.low + f.width - 1}:{f.low}", f"`{f.name}`", f.meaning) for f in fields
    ]
    return table(("word", "bits", "field", "meaning"), rows)


def register_meaning(register: Register) -> str:
    """What the register holds, and each of its fields."""
    fields = (f"`{f.name}` ({f.low}): {f.meaning}" for f in register.fields)
    return ". ".join((register.meaning, *fields))


def error_row(kind: type[DriverError]) -> tuple[str, ...]:
    """What its docstring says of an error: a sentence of two parts."""
    happened, _, advice = " ".join((kind.__doc__ or "").split()).partition("; ")
    return (
        f"`{kind.__name__}`",
        happened,
        advice.rstrip("."),
        "works on" if kind.usable else "load a package",
    )


def blocks() -> dict[str, str]:
    """Every generated block by name."""
    tables = {f"fields-{o.name.lower().replace('_', '-')}": field_table(o) for o in FIELDS}
    tables["opcodes"] = table(("code", "instruction"), [(int(o), f"`{o.name}`") for o in Opcode])
    tables["buffers"] = table(("code", "buffer"), [(int(b), f"`{b.name}`") for b in Buffer])
    tables["regions"] = table(("code", "region"), [(int(r), f"`{r.name}`") for r in Region])
    tables["errors"] = table(
        ("code", "name", "meaning"), [(int(c), f"`{c.name}`", text) for c, text in MEANING.items()]
    )
    tables["registers"] = table(
        ("offset", "name", "bits", "access", "meaning"),
        [
            (
                f"{r.offset:#05x}",
                f"`{r.name}`",
                r.bits,
                "read, write" if r.writable else "read",
                register_meaning(r),
            )
            for r in register_map(EngineConfig())
        ],
    )
    tables["configuration-keys"] = table(
        ("key", "default", "meaning"),
        [
            (f"`{key}`", f"`{default}`" if default else "", text)
            for key, default, text in keys(Config)
        ],
    )
    tables["manifest-keys"] = table(
        ("key", "meaning"), [(f"`{key}`", text) for key, _, text in keys(Manifest)]
    )
    tables["report-keys"] = table(
        ("key", "meaning"), [(f"`{key}`", text) for key, _, text in keys(Report)]
    )
    tables["driver-errors"] = table(
        ("class", "what happened", "what to do", "afterwards"),
        [error_row(kind) for kind in DriverError.__subclasses__()],
    )
    tables["error-bounds"] = table(
        ("function", "inputs tried", "number", "measure", "largest error", "at input"),
        [
            (b.function, b.domain, f"{b.inputs:,}", b.measure, f"{b.error:.3g}", b.at)
            for b in error_bounds()
        ],
    )
    tables["self-test-units"] = table(
        ("unit", "suspected when all of these fail"),
        [(u.name, ", ".join(dict.fromkeys(e.check for e in u.evidence))) for u in units(64)],
    )
    return tables


def refresh(text: str, tables: dict[str, str]) -> str:
    """``text`` with every block replaced by its current table."""
    return BLOCK.sub(lambda match: match[1] + tables[match[2]] + match[3], text)


def main() -> None:
    tables = blocks()
    for path in sorted(DOCS.glob("*.md")):
        old = path.read_text()
        new = refresh(old, tables)
        if new != old:
            path.write_text(new)
            print(f"{path.name} rewritten")


if __name__ == "__main__":
    main()
