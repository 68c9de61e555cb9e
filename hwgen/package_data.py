# SPDX-License-Identifier: Apache-2.0
"""Where the files that are not Python lie: templates, kernels and boards.

In a wheel they are under ``hwgen/_assets/``; in a source checkout they stand beside ``hwgen/``.
"""

from pathlib import Path

from hwgen.errors import HwgenError

_PACKAGE = Path(__file__).resolve().parent


def data_folder(name: str) -> Path:
    """The folder ``name``, as installed.

    Args:
        name: ``templates``, ``kernels_hls``, ``boards`` or another folder of the repository that
            the wheel carries.

    Raises:
        HwgenError: the installation does not hold it.
    """
    for root in (_PACKAGE / "_assets", _PACKAGE.parent):
        if (root / name).is_dir():
            return root / name
    raise HwgenError(
        f"The folder {name!r} is missing from this installation of hwgen (looked in "
        f"{_PACKAGE / '_assets'} and {_PACKAGE.parent}). Install hwgen again."
    )
