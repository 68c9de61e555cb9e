# SPDX-License-Identifier: Apache-2.0
"""The SystemVerilog package of the program's codes and fields."""

from dataclasses import replace

from hwgen.emit.templates import render
from hwgen.program.engine import PROGRAM_VERSION, EngineConfig
from hwgen.program.fields import FIELDS, Buffer, Field, Opcode, Region
from hwgen.program.program import MAGIC
from hwgen.program.status import ErrorCode

_KEYWORDS = {"register", "package"}


def rtl_program_package(engine: EngineConfig) -> str:
    """``hwgen_program_pkg.sv`` for one engine: magic, digest, codes, and a decoder for each
    instruction.
    """
    return render(
        "rtl/hwgen_program_pkg.sv.j2",
        magic=MAGIC,
        version=PROGRAM_VERSION,
        digest=engine.digest,
        groups={"OPCODE": Opcode, "BUFFER": Buffer, "REGION": Region, "ERROR": ErrorCode},
        layouts={o.name.lower(): [_legal(f) for f in fields] for o, fields in FIELDS.items()},
    ).decode()


def _legal(field: Field) -> Field:
    """The field under a name that is no keyword of the language."""
    return replace(field, name=f"{field.name}_") if field.name in _KEYWORDS else field
