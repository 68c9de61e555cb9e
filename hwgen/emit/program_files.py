# SPDX-License-Identifier: Apache-2.0
"""A Program as files, and back.

Under ``program/`` of a build folder:

- ``program.bin``: the binary program, linear (``Program.image``).
- ``weights.bin``: the weight region as it lies in DDR, striped over the memory ports.
- ``program.txt``: one line an instruction, for people.
- ``model.json``: what the binaries mean, ``ModelFile``.
"""

import hashlib
import json
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hwgen.errors import ConfigError, ProgramError
from hwgen.program.engine import EngineConfig
from hwgen.program.fields import WORDS
from hwgen.program.instructions import disassemble
from hwgen.program.memory import stripe, unstripe
from hwgen.program.program import InputLayout, OutputLayout, Program, decode_image

FOLDER = "program"
PROGRAM, WEIGHTS, LISTING, MODEL = "program.bin", "weights.bin", "program.txt", "model.json"
FORMAT_VERSION = 1


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class EngineFields(_Part):
    """``EngineConfig``, and the 32-bit digest that the engine compares."""

    lanes: int = Field(description="Rows and columns of the MAC array.")
    max_rows: int = Field(description="Most rows of a matrix product.")
    score_depth: int = Field(description="Vectors of the score buffer.")
    residual_depth: int = Field(description="Vectors of the residual buffer.")
    work_depth: int = Field(description="Vectors of the work buffer.")
    value_depth: int = Field(description="Vectors of the value buffer.")
    prefetch_depth: int = Field(description="Beats of the prefetch buffer.")
    digest: int = Field(description="The 32 bits that the engine and a program's header hold.")

    @classmethod
    def of(cls, engine: EngineConfig) -> "EngineFields":
        """The fields of ``engine``."""
        return cls(**vars(engine), digest=engine.digest)


class InputFields(_Part):
    """``InputLayout``: uint8 images (height, width, channels), cut into square patches; ``batch``
    of them to a run.
    """

    height: int
    width: int
    channels: int
    patch: int
    batch: int = 1


class OutputFields(_Part):
    """``OutputLayout``: int16 (rows, columns); times ``scale`` they are the model's outputs."""

    rows: int
    columns: int
    scale: float


class BinaryFields(_Part):
    """Size and SHA-256 of a file."""

    bytes: int = Field(description="Its size.")
    sha256: str = Field(description="Hexadecimal.")


class ModelFile(_Part):
    """``model.json``.

    Attributes:
        format: always ``hwgen-model``.
        version: of this schema.
        weight_beats: beats of the weight region before it is padded to whole pages.
        labels: one name per instruction.
        files: size and digest of ``program.bin`` and ``weights.bin``.
    """

    format: Literal["hwgen-model"]
    version: int
    name: str
    engine: EngineFields
    weight_beats: int
    input: InputFields
    output: OutputFields
    classes: list[str]
    labels: list[str]
    files: dict[str, BinaryFields]


def listing(program: Program) -> str:
    """The disassembly with labels, one aligned line an instruction."""
    texts = [disassemble(instruction).split(" ", 1) for instruction in program.instructions]
    label_width = max((len(label) for label in program.labels), default=0)
    opcode_width = max(len(text[0]) for text in texts)
    engine = program.engine
    lines = [
        f"# {program.name}: {len(texts)} instructions, {len(program.weights):,} beats of weights "
        f"({program.weights.nbytes:,} bytes)",
        f"# engine {engine.digest:#010x}: {engine.lanes} lanes",
    ]
    for index, (text, label) in enumerate(zip(texts, program.labels, strict=True)):
        opcode, fields = text[0], text[1] if len(text) > 1 else ""
        line = f"{index:4}  {label:{label_width}}  {opcode:{opcode_width}}  {fields}"
        lines.append(line.rstrip())
    return "\n".join(lines) + "\n"


def program_files(program: Program) -> dict[str, bytes]:
    """The files of ``program``, names beginning with ``program/``."""
    binaries = {
        PROGRAM: program.image.astype("<u4").tobytes(),
        WEIGHTS: stripe(program.weights).tobytes(),
    }
    source, sink = program.input, program.output
    model = ModelFile(
        format="hwgen-model",
        version=FORMAT_VERSION,
        name=program.name,
        engine=EngineFields.of(program.engine),
        weight_beats=len(program.weights),
        input=InputFields(**vars(source)),
        output=OutputFields(rows=sink.rows, columns=sink.columns, scale=float(sink.scale)),
        classes=list(program.classes),
        labels=list(program.labels),
        files={name: describe(data) for name, data in binaries.items()},
    )
    files = {
        MODEL: (model.model_dump_json(indent=1) + "\n").encode(),
        LISTING: listing(program).encode(),
        **binaries,
    }
    return {f"{FOLDER}/{name}": data for name, data in files.items()}


def read_program(directory: Path) -> Program:
    """The Program in a folder that holds the files of ``program_files``, or in its ``program/``.

    Raises:
        ProgramError: a file is missing or damaged, or was written by another version.
    """
    folder = directory / FOLDER if (directory / FOLDER).is_dir() else directory
    path = folder / MODEL
    model = _parse_model(path, _read(path))
    engine = _engine(path, model.engine)
    image = np.frombuffer(_binary(folder, PROGRAM, model), "<u4")
    region = np.frombuffer(_binary(folder, WEIGHTS, model), np.uint8)
    if image.size == 0 or image.size % WORDS or region.size % stripe_bytes(engine):
        raise _damaged(path, "the sizes of its binaries are not whole instructions or pages")
    instructions = decode_image(image.reshape(-1, WORDS), engine)
    beats = unstripe(region, engine.lanes)
    if len(model.labels) != len(instructions) or model.weight_beats > len(beats):
        raise _damaged(path, "it does not belong to the binaries beside it")
    return Program(
        name=model.name,
        engine=engine,
        instructions=instructions,
        labels=tuple(model.labels),
        weights=beats[: model.weight_beats],
        input=InputLayout(**model.input.model_dump()),
        output=OutputLayout(**model.output.model_dump()),
        classes=tuple(model.classes),
    )


def stripe_bytes(engine: EngineConfig) -> int:
    """Bytes of one page of a striped region."""
    return stripe(np.zeros((1, engine.lanes), np.uint8)).size


def describe(data: bytes) -> BinaryFields:
    """Size and digest of ``data``."""
    return BinaryFields(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def _damaged(path: Path, reason: str) -> ProgramError:
    return ProgramError(f"{path} is damaged: {reason}. Build the model again.")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ProgramError(
            f"{path} is missing. Name a folder that 'hwgen build' wrote, or build the model again."
        ) from None
    except OSError as error:
        raise ProgramError(f"Cannot read {path}: {error.strerror}.") from None


def _parse_model(path: Path, data: bytes) -> ModelFile:
    try:
        raw = json.loads(data)
    except ValueError as error:
        raise _damaged(path, f"not JSON ({error})") from None
    if not isinstance(raw, dict) or raw.get("format") != "hwgen-model":
        raise ProgramError(f"{path} does not describe a hwgen model: it has no 'hwgen-model' mark.")
    if raw.get("version") != FORMAT_VERSION:
        raise ProgramError(
            f"{path} has format version {raw.get('version')!r}; this hwgen reads "
            f"version {FORMAT_VERSION}. Build the model again with this hwgen."
        )
    try:
        return ModelFile.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _damaged(path, f"{where}: {first['msg']}") from None


def _engine(path: Path, fields: EngineFields) -> EngineConfig:
    try:
        engine = EngineConfig(**fields.model_dump(exclude={"digest"}))
    except ConfigError as error:
        raise _damaged(path, str(error).rstrip(".")) from None
    if engine.digest != fields.digest:
        raise ProgramError(
            f"{path} gives the engine digest {fields.digest:#010x}, its fields give "
            f"{engine.digest:#010x}: it was edited, or written by another version of hwgen. "
            "Build the model again."
        )
    return engine


def _binary(folder: Path, name: str, model: ModelFile) -> bytes:
    path = folder / name
    data = _read(path)
    expected = model.files.get(name)
    if expected is None:
        raise _damaged(folder / MODEL, f"it does not list {name}")
    if len(data) != expected.bytes:
        raise ProgramError(
            f"{path} has {len(data)} bytes, {MODEL} says {expected.bytes}: the file is cut short "
            "or belongs to another build. Build the model again."
        )
    if hashlib.sha256(data).hexdigest() != expected.sha256:
        raise ProgramError(
            f"{path} does not have the SHA-256 that {MODEL} states: it was changed or belongs to "
            "another build. Build the model again."
        )
    return data
