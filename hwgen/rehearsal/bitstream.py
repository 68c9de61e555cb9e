# SPDX-License-Identifier: Apache-2.0
"""The bitstream of a simulated board: a ``.bit`` file like Vivado's, which configures the fabric
with what a ``.hwh`` describes. A board's configuration logic finds nothing in it, and refuses it.
"""

import struct

import numpy as np

from hwgen.rehearsal.errors import FabricError

_PREAMBLE = bytes.fromhex("0009 0ff0 0ff0 0ff0 0ff0 00 0001")
_TEXT = (
    "This is no bitstream: Vivado has not been run for this design, and only the simulated board "
    "runs this package. Run 'hwgen synth' where Vivado is, and 'hwgen package' again.\n"
)
_WORD = 4
_XML = b"<?xml"


def simulation_bitstream(handoff: bytes, part: str) -> bytes:
    """The file ``hwgen.bit``.

    Args:
        handoff: the ``.hwh`` file.
        part: name of the FPGA.
    """
    fields = {b"a": f"{_TEXT};simulation", b"b": part, b"c": "1980/01/01", b"d": "00:00:00"}
    header = b"".join(_field(key, text.encode("ascii") + b"\0") for key, text in fields.items())
    # Configuration is made of words. White space may follow an XML document.
    data = handoff + b"\n" * (-len(handoff) % _WORD)
    return _PREAMBLE + header + b"e" + struct.pack(">I", len(data)) + data


def read_firmware(firmware: bytes) -> bytes:
    """The ``.hwh`` in a bitstream without its header and with the bytes of its words reversed, as
    the kernel's FPGA manager takes it.

    Raises:
        FabricError: it is another bitstream.
    """
    if len(firmware) % _WORD == 0:
        data = np.frombuffer(firmware, np.uint32).byteswap().tobytes()
        if data.startswith(_XML):
            return data
    raise FabricError(
        f"These {len(firmware)} bytes are no bitstream for a simulated board. Load a package that "
        "'hwgen package' made without Vivado."
    )


def _field(key: bytes, data: bytes) -> bytes:
    return key + struct.pack(">H", len(data)) + data
