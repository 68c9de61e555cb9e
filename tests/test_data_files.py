# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from hwgen.data_files import load_data
from hwgen.errors import DataError

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)


def saved(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def test_grey_images_get_a_channel(tmp_path: Path) -> None:
    data = load_data(saved(tmp_path / "data.npz", images=IMAGES))
    assert data.images.shape == (3, 4, 5, 1)
    assert data.labels is None
    assert len(data) == 3


def test_labels_are_whole_numbers(tmp_path: Path) -> None:
    labels = np.array([2, 0, 1], np.uint8)
    data = load_data(saved(tmp_path / "data.npz", images=IMAGES[..., None], labels=labels))
    assert data.labels is not None
    assert data.labels.dtype == np.int64
    first = data.first(2)
    assert first.labels is not None
    assert first.labels.tolist() == [2, 0]
    assert len(data.first(None)) == 3


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pixels": IMAGES}, "has no array 'images'; it holds pixels"),
        ({"images": IMAGES / 255}, "are float64; hwgen takes raw pixels, uint8 from 0 to 255"),
        ({"images": IMAGES[0]}, r"have shape \(4, 5\). A data file is made with numpy.savez"),
        ({"images": IMAGES[:0]}, r"holds no images \(shape \(0, 4, 5\)\)"),
        ({"images": IMAGES, "labels": [1, 2]}, r"3 images and labels of shape \(2,\)"),
        ({"images": IMAGES, "labels": [0.5] * 3}, "float64; they must be whole numbers"),
        ({"images": IMAGES, "labels": [0, -1, 2]}, "holds the label -1; classes count from 0"),
        (
            {"images": IMAGES, "labels": np.uint64([0, 1, 2**63])},
            "holds the label 92233720368547758",
        ),
        ({"images": np.array([{}], object)}, "Object arrays cannot be loaded"),
    ],
)
def test_wrong_arrays_are_named(tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_data(saved(tmp_path / "data.npz", **arrays))


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.npz does not exist"):
        load_data(tmp_path / "nowhere.npz")
    with pytest.raises(DataError, match="is a folder"):
        load_data(tmp_path)


def test_a_file_that_is_no_npz_or_is_cut_short(tmp_path: Path) -> None:
    path = saved(tmp_path / "data.npz", images=IMAGES)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DataError, match="it is no zip archive, or it is cut short"):
        load_data(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="cannot be read as an npz file"):
        load_data(path)


def test_a_damaged_archive(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez_compressed(path, images=np.random.default_rng(0).integers(0, 256, (9, 9, 9), np.uint8))
    content = bytearray(path.read_bytes())
    content[200:300] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as an npz file"):
        load_data(path)
