# SPDX-License-Identifier: Apache-2.0
"""``hwgen demo``: the shipped model from ONNX to a verified accelerator project."""

import io
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

from PIL import Image

from hwgen.cli.build import refuse_foreign
from hwgen.cli.console import out, progress, show_paths
from hwgen.cli.picture import picture
from hwgen.cli.summary import headline
from hwgen.cli.verify import show
from hwgen.data_files import load_data
from hwgen.design import PAGE, build
from hwgen.sim.toolchain import find_toolchain

MODEL, CALIBRATION, TEST = "fashion_vit.onnx", "fashion_calibration.npz", "fashion_test.npz"
PICTURE = "demo.png"


def run(output: Path, images: int, force: bool) -> None:
    """Builds, writes, compares with C simulation, measures accuracy and draws a picture."""
    if not force:
        refuse_foreign(output)
    find_toolchain()  # C simulation comes last; what it needs is asked for first
    with as_file(files("hwgen") / "data") as shipped, progress() as update:
        data = load_data(shipped / TEST)
        calibration = load_data(shipped / CALIBRATION)
        design = build(shipped / MODEL, calibration=calibration, progress=update)
        update("writing", 0, 0)
        design.write(output, force)
        csim = design.verify("csim", data, images, update)
        accuracy = design.verify("golden", data, None, update)
        assert data.labels is not None, "the shipped data has labels"
        image = picture(
            data.images, data.labels, accuracy.float_, accuracy.int8, design.program.classes
        )
        design.attach(PICTURE, _png(image))
    out().print(headline(design.summary))
    show(replace(accuracy, csim=csim.csim))
    show_paths(picture=output / PICTURE, report=output / PAGE)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
