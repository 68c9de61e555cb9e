# SPDX-License-Identifier: Apache-2.0
"""The command line."""


def main() -> None:
    """The entry point of ``hwgen`` and ``python -m hwgen``."""
    from hwgen.cli.app import app

    app()
