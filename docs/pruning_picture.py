# SPDX-License-Identifier: Apache-2.0
"""Draws docs/images/pruning.png with the shipped model: ``python docs/pruning_picture.py``."""

from importlib.resources import as_file, files
from pathlib import Path

from hwgen.data_files import load_data
from hwgen.design import build
from hwgen.report.figures import percent, saved
from hwgen.report.pictures_png import pruning_picture

PICTURE = Path(__file__).parent / "images" / "pruning.png"


def main() -> None:
    """Shows the first test images; multiplications are the mean over all of them."""
    with as_file(files("hwgen") / "data") as shipped:
        design = build(
            shipped / "fashion_vit_pruned.onnx", calibration=shipped / "fashion_calibration.npz"
        )
        design.verify("golden", load_data(shipped / "fashion_test.npz"))
    pruning = design.summary.pruning
    assert pruning is not None, "the shipped model has selectors"
    title = (
        f"Patches that stay, by image; {percent(saved(pruning))} fewer multiplications "
        f"on average ({pruning.images:,} test images)"
    )
    pruning_picture(pruning, title).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
