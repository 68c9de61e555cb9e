# SPDX-License-Identifier: Apache-2.0
"""hwgen turns a trained vision transformer into an FPGA accelerator.

``hwgen.build("model.onnx", calibration="data.npz").write("out")`` is the whole of it; see
``hwgen.design``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwgen.design import Design, build, open_design

__version__ = "0.1.0"
__all__ = ["Design", "__version__", "build", "open_design"]


def __getattr__(name: str) -> Any:
    """Loads the design module when it is first asked for: importing a part stays quick."""
    if name in ("Design", "build", "open_design"):
        from hwgen import design

        return getattr(design, name)
    raise AttributeError(f"module 'hwgen' has no attribute {name!r}")
