# SPDX-License-Identifier: Apache-2.0
"""``python -m hwgen.rehearsal.kernel -f CONNECTION``: the kernel of notebooks for a board, on a
simulated one. A Jupyter kernel specification names it.
"""

from ipykernel.kernelapp import IPKernelApp

from hwgen.rehearsal.environment import activate_or_exit


def main() -> None:
    """Serves a notebook until it is shut down, with the simulated board as active device."""
    with activate_or_exit():
        IPKernelApp.launch_instance()


if __name__ == "__main__":
    main()
