# SPDX-License-Identifier: Apache-2.0
"""hwgen turns a trained vision transformer into an FPGA accelerator.

``hwgen.build("model.onnx", calibration="data.npz").write("out")`` is the whole of it; see
``hwgen.design``. On a board there is only the driver: ``hwgen.driver``.
"""

import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwgen.design import Design, build, open_design

__version__ = "0.1.0"
__all__ = ["Design", "__version__", "build", "open_design"]


def __getattr__(name: str) -> Any:
    """Loads the design module when it is first asked for: importing a part stays quick."""
    if name in ("Design", "build", "open_design"):
        if importlib.util.find_spec("hwgen.design") is None:
            raise ImportError(
                f"hwgen.{name} belongs to the generator, and only the driver is installed here "
                "(hwgen-driver). Build models where hwgen is installed, and run their packages "
                "here with hwgen.driver."
            )
        from hwgen import design

        return getattr(design, name)
    raise AttributeError(f"module 'hwgen' has no attribute {name!r}")
