# SPDX-License-Identifier: Apache-2.0
"""The one Jinja environment. Templates hold text and loops, no arithmetic."""

import json
import re
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hwgen.package_data import data_folder


def tcl_quote(value: object) -> str:
    """``value`` as one Tcl word: in double quotes, nothing in it substituted."""
    text = re.sub(r'([$\[\]\\"{}])', r"\\\1", str(value))
    return '"' + text.replace("\n", "\\n").replace("\t", "\\t") + '"'


def c_string(value: object) -> str:
    """``value`` as a C string literal; bytes outside printable ASCII become octal escapes."""

    def escape(byte: int) -> str:
        character = chr(byte)
        if character in '"\\':
            return "\\" + character
        # A question mark is escaped too, so no trigraph can arise.
        return character if 32 <= byte < 127 and character != "?" else f"\\{byte:03o}"

    return '"' + "".join(escape(byte) for byte in str(value).encode()) + '"'


@cache
def environment() -> Environment:
    """The environment of ``templates/``: an undefined name is an error."""
    result = Environment(
        loader=FileSystemLoader(data_folder("templates"), encoding="utf-8"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    result.filters.update(tcl_quote=tcl_quote, c_string=c_string, json=json.dumps)
    return result


def render(template: str, **values: Any) -> bytes:
    """The file made from ``templates/<template>``, UTF-8."""
    return environment().get_template(template).render(**values).encode()
