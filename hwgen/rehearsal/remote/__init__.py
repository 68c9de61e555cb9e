# SPDX-License-Identifier: Apache-2.0
"""A simulated board at the other end of a network, for the remote devices of pynq.

``python -m hwgen.rehearsal.remote`` is the board: what PYNQ's server is on a real one.
``python -m hwgen.rehearsal.remote.client SCRIPT.py`` runs a script on it.
"""

HOST = "127.0.0.1"
"""Nobody else can reach the board: the protocol knows no passwords."""
PORT = 7967
"""Where pynq looks for a board."""
SIMULATED = "/proc/device-tree/chosen/hwgen,simulated"
"""The file by which a board says that it is simulated."""
