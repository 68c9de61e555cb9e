# SPDX-License-Identifier: Apache-2.0
import tomllib
from pathlib import Path

import numpy as np
import pytest

import hwgen
from hwgen.config import Config, load_config
from hwgen.data_files import Data
from hwgen.design import Design
from hwgen.errors import ConfigError, DataError, ModelError, OutputError, ProgramError
from hwgen.ir.evaluate import logits
from hwgen.presets import preset

PRESET = "preset:fashion-vit"


@pytest.fixture(scope="module")
def design() -> Design:
    return hwgen.build(PRESET)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (5, 28, 28), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    hwgen.build(PRESET).write(tmp_path / "out")
    return tmp_path / "out"


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_version_is_that_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert hwgen.__version__ == project["project"]["version"]


def test_the_folder_holds_everything(folder: Path) -> None:
    names = set(contents(folder))
    assert {"hwgen.yaml", "report.json", "report.html", "program/model.json"} <= names
    assert "hls/run.tcl" in names
    assert "model.onnx" not in names


def test_two_builds_are_byte_identical_and_name_no_path(folder: Path, tmp_path: Path) -> None:
    hwgen.build(PRESET).write(tmp_path / "again")
    first, second = contents(folder), contents(tmp_path / "again")
    assert first == second
    assert not [name for name, data in first.items() if str(tmp_path).encode() in data]


def test_the_effective_configuration_is_complete(folder: Path, design: Design) -> None:
    config = load_config(folder / "hwgen.yaml")
    assert config == design.config
    assert config.clock_mhz == 300
    assert config.engine.lanes == 64
    assert config.input.mean == (0.5,)
    assert design.report()["config_digest"] == config.digest()


def test_an_opened_design_predicts_the_same(
    folder: Path, design: Design, images: np.ndarray
) -> None:
    opened = hwgen.open_design(folder)
    expected = design.predict(images)
    found = opened.predict(images[..., None])
    assert (found.logits == expected.logits).all()
    assert found.logits.shape == (5, 10)
    assert (found.labels == found.logits.argmax(axis=1)).all()
    assert opened.report() == design.report()


def test_integers_follow_the_float_network(design: Design, images: np.ndarray) -> None:
    expected = logits(preset("fashion-vit"), images[..., None])
    error = np.abs(design.predict(images).logits - expected).max()
    assert error < 0.1 * np.abs(expected).max()


def test_labels_give_top_1_and_the_folder_is_brought_up_to_date(
    folder: Path, images: np.ndarray
) -> None:
    opened = hwgen.open_design(folder)
    labels = opened.predict(images).labels
    result = opened.verify(data=Data(images[..., None], labels))
    assert result.fidelity.metric == "top-1"
    assert result.fidelity.quantised == 1.0
    assert hwgen.open_design(folder).report()["fidelity"]["images"] == 5
    hwgen.build(PRESET).write(folder)  # not refused: the manifest knows the new report


def test_without_labels_agreement_counts(images: np.ndarray) -> None:
    stages: list[str] = []
    result = hwgen.build(PRESET).verify(
        data=Data(images[..., None]),
        images=2,
        progress=lambda stage, done, total: stages.append(stage),
    )
    assert result.fidelity.metric == "agreement"
    assert result.fidelity.images == 2
    assert result.fidelity.float_ is None
    assert {"int8", "float"} <= set(stages)


def test_random_pixels_do_not_enter_the_report(design: Design) -> None:
    result = design.verify(images=1)
    assert not result.real
    assert design.report()["fidelity"]["metric"] is None


def test_csim_is_recorded(folder: Path) -> None:
    opened = hwgen.open_design(folder)
    result = opened.verify("csim", images=1)
    assert result.csim is not None
    assert result.csim.images == 1
    assert result.csim.instructions == len(opened.program.instructions) - 2
    assert hwgen.open_design(folder).report()["verification"]["csim"] == {
        "images": 1,
        "instructions": result.csim.instructions,
    }


def test_csim_of_few_images_keeps_the_accuracy_of_many(folder: Path, images: np.ndarray) -> None:
    opened = hwgen.open_design(folder)
    opened.verify("golden", Data(images[..., None]))
    opened.verify("csim", Data(images[..., None]), 1)
    assert opened.report()["fidelity"]["images"] == len(images)
    assert opened.report()["verification"]["csim"]["images"] == 1
    opened.verify("golden", Data(images[..., None]), 2)
    assert opened.report()["fidelity"]["images"] == 2


def test_an_attached_file_belongs_to_the_folder(folder: Path) -> None:
    hwgen.open_design(folder).attach("note.txt", b"hello")
    assert (folder / "note.txt").read_bytes() == b"hello"
    hwgen.build(PRESET).write(folder)


def test_class_token_only_changes_cycles_and_no_result(design: Design, images: np.ndarray) -> None:
    short = hwgen.build(PRESET, config=Config(class_token_only=True))
    assert (short.predict(images).logits == design.predict(images).logits).all()
    assert short.summary.cycles.predicted < design.summary.cycles.predicted
    assert short.summary.macs < design.summary.macs


def test_normalisation_of_a_preset_can_be_set(images: np.ndarray) -> None:
    settings = Config.model_validate({"input": {"mean": [0.1], "std": [0.9]}})
    assert hwgen.build(PRESET, config=settings).report()["input"]["mean"] == [0.1]
    settings = Config.model_validate({"input": {"mean": [0.1] * 3, "std": [0.9] * 3}})
    with pytest.raises(ConfigError, match="hold 3 numbers; fashion-vit takes images of 1 channels"):
        hwgen.build(PRESET, config=settings)


def test_wrong_input_is_refused(design: Design, images: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no board 'zcu1o2'"):
        hwgen.build(PRESET, board="zcu1o2")
    with pytest.raises(ModelError, match="There is no preset 'fashion'"):
        hwgen.build("preset:fashion")
    with pytest.raises(DataError, match=r"calibration images are uint8 of shape \(5, 27, 28, 1\)"):
        hwgen.build(PRESET, calibration=images[:, 1:])
    with pytest.raises(DataError, match="holds the label 10; the model has 10 classes"):
        design.verify(data=Data(images[..., None], np.full(5, 10)))
    with pytest.raises(DataError, match="0 images were asked for"):
        design.verify(images=0)
    with pytest.raises(OutputError, match=r"call write\(\) first"):
        hwgen.build(PRESET).attach("a", b"")
    with pytest.raises(ProgramError, match="is no folder that hwgen wrote: report.json cannot be"):
        hwgen.open_design(tmp_path)


def test_a_damaged_report_is_named(folder: Path) -> None:
    (folder / "report.json").write_text('{"schema_version": 2}')
    with pytest.raises(ProgramError, match=r"report\.json is damaged or from another version"):
        hwgen.open_design(folder)


def test_an_opened_design_is_not_written_elsewhere(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="copy that folder"):
        hwgen.open_design(folder).write(tmp_path / "other")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("report.json", '"macs"', '"macs" '),
        ("hwgen.yaml", "- 0.5", "- 0.4"),
        ("program/model.json", '"scale": ', '"scale": 1'),
    ],
)
def test_an_edited_file_is_named_and_stays(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    path.write_text(path.read_text().replace(old, new, 1))
    before = contents(folder)
    with pytest.raises(ProgramError, match=f"{name} is missing or was changed since hwgen wrote"):
        hwgen.open_design(folder)
    assert contents(folder) == before


def test_an_edited_hls_file_is_no_hindrance(folder: Path) -> None:
    (folder / "hls" / "README.md").write_text("my own")
    hwgen.open_design(folder)


@pytest.mark.parametrize("manifest", [None, "{", "[]", "{}"])
def test_a_folder_without_its_list_of_files(folder: Path, manifest: str | None) -> None:
    path = folder / "hwgen-files.json"
    path.unlink() if manifest is None else path.write_text(manifest)
    with pytest.raises(ProgramError, match=r"hwgen-files\.json is missing or damaged"):
        hwgen.open_design(folder)


def test_no_image_is_said(design: Design, images: np.ndarray) -> None:
    with pytest.raises(DataError, match="No image was given"):
        design.predict(images[:0])


def test_any_number_of_images_in_batches(design: Design, images: np.ndarray) -> None:
    many = hwgen.build(PRESET, batch=4)
    assert many.config.batch == many.program.input.batch == 4
    for count in (1, 4, 5):
        expected, found = design.predict(images[:count]), many.predict(images[:count])
        np.testing.assert_array_equal(found.logits, expected.logits)
        np.testing.assert_array_equal(found.labels, expected.labels)


def test_the_report_of_a_batch_is_of_a_run(design: Design) -> None:
    one = design.report()
    many = hwgen.build(PRESET, config=Config(batch=4)).report()
    cycles = many["cycles"]["predicted"]
    assert (one["batch"], many["batch"]) == (1, 4)
    assert many["cycles_per_image"] == cycles / 4 < one["cycles_per_image"]
    assert many["fps"] == pytest.approx(4 * 300e6 / cycles)
    assert many["latency_ms"] == pytest.approx(cycles / 300e3)
    assert many["macs"] == one["macs"]
    assert many["mac_utilisation"] == pytest.approx(4 * many["macs"] / cycles / 64**2)


def test_batches_in_c_simulation(images: np.ndarray, tmp_path: Path) -> None:
    many = hwgen.build(PRESET, batch=3)
    many.write(tmp_path / "out")
    done: list[tuple[int, int]] = []
    found = hwgen.open_design(tmp_path / "out").verify(
        "csim",
        Data(images[..., None], None),
        progress=lambda name, n, total: done.append((n, total)) if name[0] == "C" else None,
    )
    assert found.csim is not None and found.csim.images == 5
    assert len(found.int8) == 5
    assert done == [(0, 5), (3, 5), (5, 5)]


def test_a_batch_beyond_four_is_refused() -> None:
    with pytest.raises(ConfigError, match="batch is 5, but it should be less than or equal to 4"):
        hwgen.build(PRESET, batch=5)
