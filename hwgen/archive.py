# SPDX-License-Identifier: Apache-2.0
"""Zip files that are the same bytes on every machine."""

import io
import zipfile
from collections.abc import Mapping

_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_FILE, _SCRIPT = 0o100644, 0o100755


def archive(files: Mapping[str, bytes]) -> bytes:
    """A zip file of ``files`` in their order: stored, because compression differs from one zlib to
    the next, and without dates.

    Content that begins with ``#!`` is a script; it may be executed where it is unpacked.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as result:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, _TIME)
            info.create_system = _UNIX
            info.external_attr = (_SCRIPT if content.startswith(b"#!") else _FILE) << 16
            result.writestr(info, content)
    return buffer.getvalue()
