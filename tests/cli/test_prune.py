# SPDX-License-Identifier: Apache-2.0
"""``hwgen prune`` on a transformer that trains in seconds."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from hwgen.frontend.write import write_onnx
from hwgen.presets import VitShape, vit
from hwgen.prune.latency import LatencyTable

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with model.onnx (4 blocks, 4 classes), data.npz and unlabelled.npz."""
    folder = tmp_path_factory.mktemp("inputs")
    write_onnx(vit("tiny", VitShape(8, 1, 2, 32, 2, 4, 4, mlp_ratio=2), 5), folder / "model.onnx")
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (40, 8, 8), np.uint8)
    np.savez(folder / "data.npz", images=images, labels=random.integers(0, 4, 40))
    np.savez(folder / "unlabelled.npz", images=images)
    return folder


@pytest.fixture
def prune(run: Run, inputs: Path, tmp_path: Path) -> Run:
    """Runs the command with the model and data, and the given options."""

    def command(*words: object, data: str = "data.npz") -> Result:
        given = ("--data", inputs / data, "--test", inputs / "data.npz")
        output = ("-o", tmp_path / "pruned.onnx", "--threads", 1)
        return run("prune", inputs / "model.onnx", *given, *output, *words)

    return command


def error(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.stderr
    return " ".join(result.stderr.split())


def test_a_model_is_pruned_and_a_run_resumed(prune: Run, run: Run, tmp_path: Path) -> None:
    options = ("--selectors", "2,4", "--keep", "0.6,0.3", "--batch", 10, "--warm-up", 2)
    done = prune(*options, "--epochs", 1)
    assert done.exit_code == 0, done.output
    for words in ("top-1", "MACs an image", "predicted latency", "tokens from block 4 on"):
        assert words in done.stdout
    log = (tmp_path / "pruned.log").read_text()
    assert "selector in front of block 2 is to keep 0.600" in log
    assert "step 6/6" in log
    assert (tmp_path / "pruned.onnx").is_file()

    message = error(prune(*options))
    assert "pruned.checkpoint.pt holds a run already. Add --resume" in message

    more = prune(*options, "--epochs", 2, "--resume")
    assert more.exit_code == 0, more.output
    log = (tmp_path / "pruned.log").read_text()
    assert "resumed at step 6" in log
    assert "step 10/10" in log


def test_ratios_follow_from_a_target_and_a_table(prune: Run, tmp_path: Path) -> None:
    path = tmp_path / "latency.json"
    table = LatencyTable(
        model="model",
        board="zcu102",
        clock_mhz=1,
        batch=1,
        keep_ratios=(1, 0.25),
        outside_cycles=50,
        block_cycles=((100, 25),) * 4,
        selector_cycles=((10, 2.5),) * 4,
    )
    table.save(path)
    words = ("--selectors", 3, "--table", path, "--batch", 10, "--epochs", 1, "--warm-up", 0)
    done = prune(*words, "--target-latency", 0.36)
    assert done.exit_code == 0, done.output
    log = (tmp_path / "pruned.log").read_text()
    assert "selector in front of block 3 is to keep 0.500" in log
    assert "predicted: 0.36 ms, 0.45 unpruned" in log
    for blocks in ((), ("--selectors", 3)):
        words = (*blocks, "--table", path, "--target-latency", 0.2, "--resume")
        assert "0.2 ms is below what is reachable" in error(prune(*words))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Nothing says how far to prune"),
        (("--selectors", "1", "--keep", "0.5"), "front of block 1: 'model' has 4 blocks"),
        (("--selectors", "2.5", "--keep", "0.5"), "must name blocks by whole numbers"),
        (("--selectors", "x", "--keep", "0.5"), "--selectors x is no list of numbers"),
        (("--selectors", "2", "--keep", "0"), "above 0 and at most 1"),
        (("--selectors", "2", "--keep", "0.5", "--table", "none.json"), "none.json does not"),
        (("--selectors", "2", "--keep", "0.5", "--batch", "99"), "fewer than the 99"),
        (("--selectors", "nan", "--keep", "0.5"), "--selectors nan is no list of numbers"),
        (("--selectors", "2", "--keep", "inf"), "--keep inf is no list of numbers"),
        (("--selectors", "2", "--keep", "0.5", "--epochs", "inf"), "'--epochs': Input should be"),
        (("--selectors", "2", "--keep", "0.5", "--lr", "inf"), "'--lr': Input should be less"),
        (("--target-latency", "nan"), "'--target-latency': Input should be"),
        (("--target-latency", "inf"), "target latency is inf ms; it must be above 0 and finite"),
    ],
)
def test_mistakes_are_refused(prune: Run, words: tuple[str, ...], message: str) -> None:
    assert message in error(prune(*words))


def test_data_without_labels_is_refused(prune: Run) -> None:
    message = error(prune("--selectors", "2", "--keep", "0.5", data="unlabelled.npz"))
    assert "The training data has no array 'labels'" in message


def test_a_missing_folder_is_refused(run: Run, inputs: Path, tmp_path: Path) -> None:
    data = inputs / "data.npz"
    output = tmp_path / "no" / "pruned.onnx"
    result = run("prune", inputs / "model.onnx", "--data", data, "--test", data, "-o", output)
    assert "there is no folder" in error(result)


def test_an_output_is_a_new_onnx_file(run: Run, inputs: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes((inputs / "model.onnx").read_bytes())
    there = tmp_path / "there.onnx"
    there.write_text("a file of the user's")
    data = inputs / "data.npz"
    for output, message in (
        (tmp_path / "pruned.log", "its name does not end in .onnx. Name an .onnx file"),
        (model, "is the model to prune; name another output"),
        (there, "there.onnx exists already. Name another output, or delete it"),
    ):
        result = run("prune", model, "--data", data, "--test", data, "-o", output)
        assert message in error(result)
    assert model.read_bytes() == (inputs / "model.onnx").read_bytes()
    assert there.read_text() == "a file of the user's"
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", "there.onnx"}


def test_labels_beyond_the_classes_are_refused(prune: Run, inputs: Path, tmp_path: Path) -> None:
    """The model names no classes; its logits are as many."""
    images = np.zeros((40, 8, 8), np.uint8)
    np.savez(inputs / "beyond.npz", images=images, labels=np.arange(40))
    message = error(prune("--selectors", "2", "--keep", "0.5", data="beyond.npz"))
    assert "The training data holds the label 39; 'model' has 4 classes" in message
    assert not (tmp_path / "pruned.schedule.json").exists()


def test_a_run_goes_on_with_its_own_ratios_only(prune: Run) -> None:
    words = ("--selectors", "2,4", "--batch", 10, "--warm-up", 0, "--epochs", 1)
    assert prune(*words, "--keep", "0.6,0.3").exit_code == 0
    message = error(prune(*words, "--keep", "0.5,0.3", "--resume"))
    assert "The run to resume keeps 0.6 from block 2 on, 0.3 from block 4 on (" in message
    assert "this one is to keep 0.5 from block 2 on, 0.3 from block 4 on. Resume with" in message


def test_without_torch_the_extra_is_named(prune: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    message = error(prune("--selectors", "2", "--keep", "0.5"))
    assert "needs torch and accelerate" in message
    assert "pip install 'hwgen[train]'" in message


def test_torch_is_loaded_for_training_alone() -> None:
    code = (
        "import sys; from hwgen.cli.app import app; import hwgen.cli.prune, hwgen.prune.latency, "
        "hwgen.prune.plan, hwgen.prune.schedule; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
