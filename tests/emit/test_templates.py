# SPDX-License-Identifier: Apache-2.0
"""Quoting filters, checked by the languages themselves, and strictness."""

import ast
import json
import tkinter

import pytest
from jinja2 import UndefinedError

from hwgen.emit.templates import c_string, environment, tcl_quote

TEXTS = ["plain", 'a "b" $c [d] {e} \\f', "tab\tline\nend", "semi;colon # hash", "Grüße", ""]


@pytest.mark.parametrize("text", TEXTS)
def test_a_tcl_word_is_its_text(text: str) -> None:
    assert tkinter.Tcl().eval(f"return {tcl_quote(text)}") == text


@pytest.mark.parametrize("text", [*TEXTS, "what??/", "\x7f\x01" + "7"])
def test_a_c_string_is_its_text(text: str) -> None:
    # Octal escapes and quotes are the same in Python's byte literals.
    literal = c_string(text)
    assert literal.isascii() and literal.isprintable() and "??" not in literal
    assert ast.literal_eval("b" + literal) == text.encode()


def test_an_undefined_name_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'missing' is undefined"):
        environment().from_string("{{ missing }}").render()


def test_blocks_leave_no_lines_and_json_is_a_filter() -> None:
    source = "a\n  {% if yes %}\nb\n  {% endif %}\n{{ data|json }}\n"
    text = environment().from_string(source).render(yes=True, data={"k": [1, 2]})
    first, second, third = text.splitlines()
    assert (first, second, json.loads(third)) == ("a", "b", {"k": [1, 2]})
