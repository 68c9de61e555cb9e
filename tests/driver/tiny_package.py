# SPDX-License-Identifier: Apache-2.0
"""A package of a tiny model, made without the generator: images of 4 x 4, three classes."""

import hashlib
import io
import json
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from hwgen.driver.diagnosis import Check, Checks, Evidence, Unit
from hwgen.golden.interpreter import Interpreter
from hwgen.golden.matmul import LayerParameters, pack_parameters
from hwgen.program.engine import PROGRAM_VERSION, EngineConfig
from hwgen.program.fields import Buffer, Region
from hwgen.program.instructions import End, Load, Matmul
from hwgen.program.memory import stripe
from hwgen.program.program import InputLayout, OutputLayout, Program
from hwgen.rehearsal.bitstream import simulation_bitstream

CLASSES = ("cat", "dog", "owl")
BATCH = 2
PART = "xczu3eg-sbva484-1-i"


def tiny_program(engine: EngineConfig) -> Program:
    """Each patch times random weights; the first patch of an image gives its class scores."""
    lanes = engine.lanes
    images, outputs = InputLayout(4, 4, 1, 2, BATCH), OutputLayout(4 * BATCH, 3, 0.5)
    random = np.random.default_rng(1)
    weights = np.zeros((lanes, lanes), np.int8)
    weights[:3, :4] = random.integers(-100, 101, (3, 4))
    parameters = LayerParameters(
        weights,
        bias=np.arange(lanes, dtype=np.int32),
        multiplier=np.full(lanes, 1 << 15, np.uint16),
        shift=np.full(lanes, 17, np.uint8),
    )
    rows = 4 * BATCH
    product = Matmul(
        rows=rows,
        rows_register=0,
        source_buffer=Buffer.WORK,
        source_address=0,
        source_stride=rows,
        reduction_slices=1,
        destination_buffer=Buffer.OUTPUT,
        destination_address=0,
        destination_stride=rows,
        output_slices=1,
        offset=0,
    )
    return Program(
        name="tiny",
        engine=engine,
        instructions=(Load(Region.INPUT, 0, Buffer.WORK, 0, rows, 1), product, End()),
        labels=("load", "product", "end"),
        weights=pack_parameters(parameters, lanes),
        input=images,
        output=outputs,
        classes=CLASSES,
    )


def tiny_images(count: int) -> np.ndarray:
    """Random images, uint8 (count, 4, 4, 1)."""
    return np.random.default_rng(2).integers(0, 256, (count, 4, 4, 1), np.uint8)


def expected_integers(program: Program, images: np.ndarray) -> np.ndarray:
    """What the engine must answer, int16 (N, 3)."""
    outputs = Interpreter(program).run_all(program.input.pack(images, program.engine.lanes))
    rows = program.output.unpack(outputs)
    return rows.reshape(-1, 4, 3)[: len(images), 0]


def write_package(
    folder: Path, program: Program, handoff: bytes, board: str = "ultra96v2", **changes: object
) -> Path:
    """Writes the package to ``folder``.

    Args:
        handoff: the ``.hwh``.
        changes: keys of the manifest with other values.
    """
    images = tiny_images(3)
    model = _program_files(program)
    files = {
        "README.md": b"tiny\n",
        "hwgen.bit": simulation_bitstream(handoff, PART),
        "hwgen.hwh": handoff,
        "notebooks/start.ipynb": b"{}",
        "examples.npz": _examples(program, images),
        **{f"programs/model/{name}": data for name, data in model.items()},
        **{f"programs/self_test/{name}": data for name, data in _self_test(program).items()},
    }
    engine = program.engine
    manifest = {
        "format": "hwgen-package",
        "version": 1,
        "name": f"tiny-{board}",
        "board": board,
        "part": PART,
        "clock_mhz": 250.0,
        "engine": {**asdict(engine), "digest": engine.digest},
        "programs": ["model", "self_test"],
        "bitstream": {"made_by": "simulation", "engine": "rtl", "tool": None},
        "versions": {"hwgen": "0.1.0", "program": PROGRAM_VERSION},
        "predicted": {"cycles": 1000, "images_per_s": 500000.0, "latency_ms": 0.004},
        "examples": {"real": False},
        "files": {name: _entry(data) for name, data in files.items()},
        **changes,
    }
    for name, data in {**files, "manifest.json": json.dumps(manifest).encode()}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def describe_anew(package: Path, name: str) -> None:
    """Has the manifest describe a file as it is now."""
    path = package / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][name] = _entry((package / name).read_bytes())
    path.write_text(json.dumps(manifest))


def zip_package(folder: Path, path: Path, root: str = "tiny/") -> Path:
    """The package in ``folder`` as a zip file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, root + file.relative_to(folder).as_posix())
    return path


def _program_files(program: Program) -> dict[str, bytes]:
    engine, output = program.engine, program.output
    binaries = {
        "program.bin": program.image.astype("<u4").tobytes(),
        "weights.bin": stripe(program.weights).tobytes(),
    }
    model = {
        "format": "hwgen-model",
        "version": 1,
        "name": program.name,
        "engine": {**asdict(engine), "digest": engine.digest},
        "weight_beats": len(program.weights),
        "input": asdict(program.input),
        "output": asdict(output),
        "classes": list(program.classes),
        "labels": list(program.labels),
        "files": {name: _entry(data) for name, data in binaries.items()},
    }
    return {"model.json": json.dumps(model).encode(), **binaries}


def _self_test(program: Program) -> dict[str, bytes]:
    """The same program, and its output as a check of one unit."""
    images = tiny_images(BATCH)
    expected = Interpreter(program).run_all(program.input.pack(images, program.engine.lanes))[0]
    checks = Checks(
        (Check("product", 0, len(expected)),), (Unit("array", (Evidence("product"),), ()),)
    )
    return {
        **_program_files(program),
        "input.npy": _npy(images),
        "expected.npy": _npy(expected),
        "checks.json": json.dumps(checks.to_json()).encode(),
    }


def _examples(program: Program, images: np.ndarray) -> bytes:
    file = io.BytesIO()
    outputs = expected_integers(program, images)
    np.savez(file, images=images, labels=np.arange(len(images)), outputs=outputs)
    return file.getvalue()


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _entry(data: bytes) -> dict[str, object]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
