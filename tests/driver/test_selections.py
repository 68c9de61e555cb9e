# SPDX-License-Identifier: Apache-2.0
"""Which patches selectors keep: what goes between the engine and ``kept_patches``."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Tiny
from tiny_package import BATCH, describe_anew, tiny_images

from hwgen.driver import Accelerator
from hwgen.driver.errors import CorruptPackageError, OutputMissingError
from hwgen.driver.kept_patches import Trace, TracedSelection, kept_patches
from hwgen.program.program import OutputLayout

PATCHES = 4


def selection(first: int, image: int) -> TracedSelection:
    return TracedSelection("selector", image, first, PATCHES, 1, 256, 0, 0, PATCHES, False, False)


def trace(tiny: Tiny) -> Trace:
    """Scores of four patches of each image, behind two vectors of class scores."""
    images = (selection(2 + PATCHES * image, image) for image in range(BATCH))
    return Trace(PATCHES, BATCH, OutputLayout(2, 3, 1.0), tuple(images))


def traced(tiny: Tiny, text: str) -> Path:
    """The package with a traced variant: the model itself."""
    folder = tiny.package / "programs" / "selections"
    folder.mkdir()
    for name in ("model.json", "program.bin", "weights.bin"):
        (folder / name).write_bytes((tiny.package / "programs" / "model" / name).read_bytes())
    (folder / "trace.json").write_text(text)
    for path in folder.iterdir():
        describe_anew(tiny.package, f"programs/selections/{path.name}")
    manifest = json.loads((tiny.package / "manifest.json").read_text())
    manifest["programs"].append("selections")
    (tiny.package / "manifest.json").write_text(json.dumps(manifest))
    return tiny.package


def vectors(runs: int) -> np.ndarray:
    """Output regions; patches 1 and 3 of each image score high."""
    found = np.zeros((runs, 2 + BATCH * PATCHES, 16), np.int16)
    found[:, 2::2, 0], found[:, 3::2, 0] = -100, 100
    found[:, :, 8] = 100
    return found


def test_scores_become_patches(tiny: Tiny) -> None:
    found = kept_patches(trace(tiny), vectors(2), 3)
    assert list(found) == ["selector"]
    assert found["selector"].tolist() == [[False, True, False, True]] * 3


def test_scores_that_are_not_there(tiny: Tiny) -> None:
    output = vectors(2)
    output[1, 5] = -32768
    with pytest.raises(OutputMissingError, match="scores of selector for image 2 are not all"):
        kept_patches(trace(tiny), output, 3)


def test_the_way_through_the_engine(tiny: Tiny) -> None:
    """A trace without selections: there is nothing to say, and the runs are done."""
    package = traced(tiny, json.dumps({**trace(tiny).to_json(), "selections": []}))
    with Accelerator.load(package, device=tiny.device) as accelerator:
        starts = tiny.engine.starts
        assert accelerator.selections(tiny_images(5)) == []
        assert tiny.engine.starts == starts + 3
        # The class scores must be there; what follows is for those who know how much it is.
        tiny.engine.writes = 32
        assert accelerator.selections(tiny_images(1)) == []
        tiny.engine.writes = 31
        with pytest.raises(OutputMissingError, match="left 1 of 32 numbers"):
            accelerator.selections(tiny_images(1))


@pytest.mark.parametrize("text", ["{", "{}", '{"format": "other", "version": 1}'])
def test_a_trace_that_is_none(tiny: Tiny, text: str) -> None:
    with (
        Accelerator.load(traced(tiny, text), device=tiny.device) as accelerator,
        pytest.raises(CorruptPackageError, match=r"trace\.json: it traces no selections of this"),
    ):
        accelerator.selections(tiny_images(1))
