# SPDX-License-Identifier: Apache-2.0
"""Predicted resources of an overlay engine, module by module.

They are fitted to what Yosys makes of the SystemVerilog, within a tenth of it in total for 16, 32
and 64 lanes; ``hwgen estimate --synth`` shows both. They hold no place-and-route effects.
"""

from hwgen.estimate import datapath, memories
from hwgen.estimate.usage import Resources
from hwgen.program.engine import EngineConfig


def predict_resources(engine: EngineConfig, *, ultra_ram: bool = False) -> Resources:
    """LUTs, flip-flops, DSPs and memories of each module of ``engine``.

    Args:
        ultra_ram: the device has UltraRAM; the large buffers that are written a whole vector at a
            time (residual, work, prefetch) go there.
    """
    return Resources(
        {
            "array": datapath.array(engine),
            "accumulator": datapath.accumulator(engine),
            "epilogue": datapath.epilogue(engine),
            "layer_norm": datapath.layer_norm(engine),
            "softmax": datapath.softmax(engine),
            "token_selection": datapath.token_selection(engine),
            "residual_buffer": memories.residual_buffer(engine, ultra=ultra_ram),
            "work_buffer": memories.work_buffer(engine, ultra=ultra_ram),
            "value_buffer": memories.value_buffer(engine),
            "score_buffer": memories.score_buffer(engine),
            "tiles": memories.tiles(engine),
            "prefetch_buffer": memories.prefetch_buffer(engine, ultra=ultra_ram),
            "memory_ports": memories.memory_ports(engine),
            "control": memories.control(engine),
            "row_pipeline": datapath.row_pipeline(engine),
        }
    )
