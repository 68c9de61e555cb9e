# SPDX-License-Identifier: Apache-2.0
import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwgen.data_files import Data
from hwgen.deploy import bitstream, wheel
from hwgen.deploy.manifest import Manifest
from hwgen.deploy.package import is_package, package_archive, package_files, package_name
from hwgen.design import Design
from hwgen.emit.hwh import hwh
from hwgen.emit.plan import BuildPlan
from hwgen.emit.program_files import program_files
from hwgen.errors import DataError, OutputError
from hwgen.vivado.outputs import Synthesis

PROGRAM = {"program.bin", "weights.bin", "model.json", "program.txt"}
DATA = Data(
    np.random.default_rng(3).integers(0, 256, (5, 28, 28, 1), np.uint8),
    np.arange(5, dtype=np.int64),
)


@pytest.fixture(scope="module")
def plan(design: Design) -> BuildPlan:
    return package_files(design, DATA, 4)


def manifest(plan: BuildPlan) -> Manifest:
    return Manifest.model_validate_json(plan.contents()["manifest.json"])


def arrays(plan: BuildPlan) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(plan.contents()["examples.npz"]), allow_pickle=False) as file:
        return dict(file)


def in_folder(design: Design, directory: Path) -> Design:
    """The design as if it had been written to ``directory``."""
    return Design(
        design._source,
        design.config,
        design.board,
        design.program,
        design.summary,
        directory=directory,
    )


def test_the_files(plan: BuildPlan, design: Design) -> None:
    names = set(plan.files)
    assert next(iter(plan.files)) == "manifest.json"
    assert {"README.md", "install.sh", "hwgen.hwh", "hwgen.bit", "examples.npz"} <= names
    assert f"driver/{wheel.NAME}" in names
    assert {f"programs/model/{name}" for name in PROGRAM} <= names
    self_test = {f"programs/self_test/{name}" for name in PROGRAM}
    assert self_test | {"programs/self_test/checks.json"} <= names
    for name, content in program_files(design.program).items():
        assert plan.files[name.replace("program/", "programs/model/", 1)] == content


def test_the_manifest_describes_every_file(plan: BuildPlan, design: Design) -> None:
    found, contents = manifest(plan), plan.contents()
    assert set(found.files) == set(contents) - {"manifest.json"}
    for name, entry in found.files.items():
        assert entry.bytes == len(contents[name])
        assert entry.sha256 == hashlib.sha256(contents[name]).hexdigest()
    assert (found.name, found.board) == ("fashion-vit-zcu102", "zcu102")
    assert found.part == design.board.part
    assert found.engine.digest == design.program.engine.digest
    assert found.programs == ("model", "self_test")
    assert found.predicted.cycles == design.summary.cycles.predicted
    assert found.examples.real


def test_examples_are_what_the_accelerator_must_answer(plan: BuildPlan, design: Design) -> None:
    found = arrays(plan)
    assert np.array_equal(found["images"], DATA.images[:4])
    assert DATA.labels is not None
    assert np.array_equal(found["labels"], DATA.labels[:4])
    expected = design.predict(DATA.images[:4])
    assert (found["outputs"].dtype, found["outputs"].shape) == (np.int16, (4, 10))
    scores = found["outputs"].astype(np.float32) * np.float32(design.program.output.scale)
    assert np.array_equal(scores, expected.logits)


def test_random_pixels_where_there_is_no_data(design: Design) -> None:
    plan = package_files(design, images=2)
    assert not manifest(plan).examples.real
    assert sorted(arrays(plan)) == ["images", "outputs"]
    assert arrays(plan)["images"].shape == (2, 28, 28, 1)


def test_data_of_another_task_is_refused(design: Design) -> None:
    labels = np.full(1, 10, np.int64)
    with pytest.raises(DataError, match="The data holds the label 10; the model has 10 classes"):
        package_files(design, Data(DATA.images[:1], labels))
    with pytest.raises(DataError, match="this model takes uint8 images of shape"):
        package_files(design, Data(np.zeros((1, 32, 32, 3), np.uint8)))


def test_two_runs_give_the_same_bytes(plan: BuildPlan, design: Design) -> None:
    again = package_files(design, DATA, 4)
    assert package_archive("name", again) == package_archive("name", plan)


def test_the_archive_has_one_folder_and_is_known_again(plan: BuildPlan, tmp_path: Path) -> None:
    path = tmp_path / "vit.zip"
    path.write_bytes(package_archive("vit-zcu102", plan))
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [f"vit-zcu102/{name}" for name in plan.files]
        script = archive.getinfo("vit-zcu102/install.sh")
    assert script.external_attr >> 16 == 0o100755
    assert is_package(path)


def test_other_files_are_no_packages(tmp_path: Path) -> None:
    path = tmp_path / "other.zip"
    assert not is_package(path)
    for content in ({}, {"manifest.json": "{}"}, {"a/b": ""}, {"a/manifest.json": "[1]"}):
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in content.items():
                archive.writestr(name, text)
        assert not is_package(path)
    path.write_bytes(path.read_bytes()[:-10])
    assert not is_package(path)


def test_names_are_file_names(design: Design) -> None:
    for name, expected in (
        ("my model/2", "my_model_2-zcu102"),
        ("..", "zcu102"),
        ("größe", "gr_e-zcu102"),
    ):
        named = in_folder(design, Path())
        named.program = replace(design.program, name=name)
        assert package_name(named) == expected


def test_without_vivado_the_overlay_is_that_of_simulation(plan: BuildPlan, design: Design) -> None:
    contents = plan.contents()
    assert b"This is no bitstream: Vivado has not been run" in contents["hwgen.bit"][:100]
    assert contents["hwgen.hwh"] in contents["hwgen.bit"]
    assert contents["hwgen.hwh"] == hwh(design.board, design.program.engine)
    made = manifest(plan).bitstream
    assert (made.made_by, made.engine, made.tool) == ("simulation", "rtl", None)
    assert b"There is no bitstream yet" in contents["README.md"]


def test_the_bitstream_of_vivado_is_taken(
    design: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = in_folder(design, tmp_path)
    for name in ("hwgen.bit", "hwgen.hwh"):
        (tmp_path / name).write_text(f"the content of {name}")
    made = Synthesis(
        tool="Vivado v2024.1",
        hls_tool=None,
        engine="rtl",
        part=design.board.part,
        clock_mhz=300.0,
        bitstream=tmp_path / "hwgen.bit",
        handoff=tmp_path / "hwgen.hwh",
    )
    monkeypatch.setattr(bitstream, "read_outputs", lambda directory: made)
    plan = package_files(built, DATA, 1)
    for name in ("hwgen.bit", "hwgen.hwh"):
        assert plan.contents()[name].decode() == f"the content of {name}"
    found = manifest(plan).bitstream
    assert (found.made_by, found.tool) == ("vivado", "Vivado v2024.1")
    readme = plan.contents()["README.md"].decode()
    assert "and Vivado v2024.1" in readme
    assert "no bitstream" not in readme
    both = replace(made, engine="hls", hls_tool="Vitis HLS v2024.1")
    monkeypatch.setattr(bitstream, "read_outputs", lambda directory: both)
    found = manifest(package_files(built, DATA, 1)).bitstream
    assert (found.engine, found.tool) == ("hls", "Vivado v2024.1, Vitis HLS v2024.1")
    for change, message in (
        ({"part": "xck26"}, r"another FPGA \(xck26\) than this design \(xczu9eg-ffvb1156-2-e\)"),
        ({"clock_mhz": 250.0}, r"another clock in MHz \(250\) than this design \(300\)"),
    ):
        other = replace(made, **change)
        monkeypatch.setattr(bitstream, "read_outputs", lambda directory, other=other: other)
        with pytest.raises(OutputError, match=message) as caught:
            package_files(built, DATA, 1)
        assert f"Run 'hwgen synth {tmp_path}' again" in str(caught.value)


def test_the_readme_is_short_and_names_the_package(plan: BuildPlan) -> None:
    text = plan.contents()["README.md"].decode()
    assert len(text.splitlines()) <= 20
    assert 'Accelerator.load("fashion-vit-zcu102")' in text
    assert "sudo sh install.sh" in text


def test_the_manifest_is_json_that_needs_no_pydantic(plan: BuildPlan) -> None:
    assert json.loads(plan.contents()["manifest.json"])["format"] == "hwgen-package"
