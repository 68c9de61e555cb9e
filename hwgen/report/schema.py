# SPDX-License-Identifier: Apache-2.0
"""What ``report.json`` holds. ``docs/report.md`` explains it; a test keeps the two together."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cycles(_Part):
    """Engine clock cycles of one run, which takes `batch` images, from start to done."""

    predicted: int = Field(description="By the cost model.")
    measured: int | None = Field(default=None, description="By RTL simulation.")


class Resources(_Part):
    """FPGA resources; null: unknown."""

    lut: int | None = Field(default=None, description="Look-up tables.")
    ff: int | None = Field(default=None, description="Flip-flops.")
    dsp: int | None = Field(default=None, description="DSP48E2 slices.")
    bram36: int | None = Field(default=None, description="36 kbit block RAMs.")
    uram: int | None = Field(default=None, description="UltraRAMs.")


class Module(Resources):
    """One part of the engine and what it takes."""

    name: str = Field(description="Which part.")


class SynthesisedModule(Module):
    """One part of the engine as Yosys made it, and the worst path that begins or ends in it."""

    luts: int = Field(description="LUT levels of that path.")
    carry_chains: int = Field(description="Carry chains of that path; one of any length is one.")
    products: int = Field(description="DSP slices of that path with no register inside.")
    path: str = Field(description="From where to where, in names of the source.")
    allowed: bool = Field(description="At most six LUT levels and a carry chain; a product alone.")


class YosysReport(Resources):
    """What `hwgen estimate --synth` found: cells for UltraScale+, not placed."""

    modules: tuple[SynthesisedModule, ...] = Field(description="Part by part, as predicted.")


class ResourceReport(_Part):
    """What the engine takes and what the board has."""

    predicted: Resources
    limits: Resources = Field(
        description="What the engine may take; the rest is for interconnect and routing."
    )
    device: Resources = Field(description="What the board has.")
    synth: Resources = Field(
        default=Resources(), description="The engine, routed, as Vivado reports it."
    )
    synth_design: Resources = Field(
        default=Resources(),
        description="The whole design, interconnect and all, as Vivado reports it.",
    )
    modules: tuple[Module, ...] = Field(default=(), description="The prediction, part by part.")
    yosys: YosysReport | None = None


class Timing(_Part):
    """Timing of the routed design, as Vivado reports it after `hwgen synth`."""

    engine: Literal["rtl", "hls"] = Field(
        description="Which engine was routed. rtl: the SystemVerilog. hls: the C++."
    )
    clock_mhz: float = Field(description="The clock that was asked for.")
    worst_slack_ns: float = Field(
        description="Of all paths to registers, setup; negative: a path is too slow."
    )
    worst_hold_slack_ns: float = Field(description="The same for hold.")
    achieved_mhz: float = Field(
        description="The clock that the worst path of the engine's clock would allow."
    )
    failing_endpoints: int = Field(description="Setup, hold and pulse width together.")
    met: bool = Field(description="Vivado's verdict. A bitstream is made only where it is true.")


class Fidelity(_Part):
    """How well the integers keep the float network's answers."""

    metric: Literal["top-1", "agreement"] | None = Field(
        default=None,
        description="top-1: share of images whose label is found. agreement: share of images on "
        "which int8 and float choose the same class (data without labels).",
    )
    float_: float | None = Field(
        default=None, alias="float", description="Share for the float model, 0 to 1."
    )
    quantised: float | None = Field(default=None, description="Share for the int8 program, 0 to 1.")
    agreement: float | None = Field(
        default=None, description="Share of images on which both choose the same class."
    )
    images: int | None = Field(default=None, description="Images tried.")


class CsimResult(_Part):
    """The HLS C++, compiled with g++, against the integer reference. Only success is recorded."""

    images: int = Field(description="Images whose outputs were equal, bit for bit.")
    instructions: int = Field(description="Instructions whose results were compared.")


class Spread(_Part):
    """A number that differs from image to image."""

    least: int = Field(description="The smallest.")
    mean: float = Field(description="The mean.")
    most: int = Field(description="The largest.")


class RowCount(_Part):
    """How many images have so many rows."""

    rows: int = Field(description="Rows, class token and package token among them.")
    images: int = Field(description="Images with so many.")


class SelectorReport(_Part):
    """A token selector and what it did."""

    name: str = Field(description="Its name in the model.")
    block: str = Field(description="The block it stands before.")
    rows_in: Spread = Field(description="Rows of an image before it.")
    rows_out: Spread = Field(
        description="Rows of an image behind it, class token and package token among them."
    )
    counts: tuple[RowCount, ...] = Field(description="Histogram of the rows behind it.")
    cycles: int = Field(description="Predicted cycles of its instructions in the run shown.")
    share: float = Field(description="Their share of that run's cycles.")


class RunCycles(_Part):
    """Cycles of one run against its tokens."""

    rows: tuple[int, ...] = Field(
        description="Rows behind each selector, summed over the images of the run."
    )
    macs: int = Field(
        description="Multiplications, channels padded to whole vectors counted as work."
    )
    predicted: int = Field(description="By the cost model, with these rows.")
    measured: int | None = Field(default=None, description="By RTL simulation.")


class KeptPatches(_Part):
    """Which patches of an image were still there behind each selector."""

    image: int = Field(description="Index of the image in the data.")
    patches: tuple[str, ...] = Field(
        description="For each selector a string of hexadecimal digits: a bit for each patch in "
        "row-major order, the first patch the highest bit, zeros behind the last one."
    )
    picture: str | None = Field(
        default=None,
        description="The image, 112 pixels a side at most: a PNG file in base64. Of the first 8 "
        "images; null: another one, or random pixels.",
    )


class Pruning(_Part):
    """What token selection did to images, and what it saves."""

    images: int = Field(description="Images looked at.")
    real: bool = Field(description="Whether the images were given; false: random pixels.")
    grid: tuple[int, int] = Field(description="Rows and columns of patches of an image.")
    selectors: tuple[SelectorReport, ...] = Field(description="In the order of the network.")
    macs_mean: float = Field(
        description="Multiplications of one image, the mean over all, padding not counted."
    )
    macs_dense: int = Field(description="Multiplications of one image without the selectors.")
    cycles_mean: float = Field(description="Mean of the predicted cycles of `runs`.")
    cycles_most: int = Field(
        description="Predicted cycles of a run in which selectors keep as many rows as they may."
    )
    runs: tuple[RunCycles, ...] = Field(description="The first runs, 256 at most.")
    kept: tuple[KeptPatches, ...] = Field(description="Of the first images, 16 at most.")


class TimelineSlice(_Part):
    """A unit of the RTL worked on an instruction, with pauses perhaps."""

    unit: str = Field(description="Which unit.")
    instruction: int = Field(description="Index of the instruction.")
    first: int = Field(description="First cycle, from the start of the run.")
    last: int = Field(description="Last cycle.")


class MeasuredInstruction(_Part):
    """The cycles of one instruction in RTL simulation; they add up to those of the run."""

    cycles: int = Field(description="From its first row, or the wait for it, to its last.")
    stalls: dict[str, int] = Field(
        description="Cycles of these in which no row enters the array, by cause."
    )


class RtlResult(_Part):
    """The SystemVerilog in Verilator, from image in memory to logits in memory, against the
    integer reference. Only success is recorded. Details are of the first run."""

    images: int = Field(description="Images whose outputs were equal, bit for bit.")
    array: Literal["faithful", "twin"] = Field(
        description="faithful: every DSP slice is simulated. twin: the multipliers of the array "
        "are C++ that is equal in every cycle; all else is RTL."
    )
    memory: str = Field(description="Settings of the memory model.")
    cycles: int = Field(description="From start to done, by the engine's own counter.")
    slowest: int = Field(description="The most cycles that a run took.")
    bytes_moved: int = Field(description="Read from memory and written to it.")
    utilisation: float = Field(description="As `mac_utilisation`, of measured cycles.")
    fps: dict[str, float] = Field(
        description="Images per second by clock in MHz, with these cycles at each clock."
    )
    busy: int = Field(description="Cycles in which a row entered the array.")
    stalls: dict[str, int] = Field(description="The other cycles, by cause.")
    instructions: tuple[MeasuredInstruction, ...] = Field(description="In the program's order.")
    timeline: tuple[TimelineSlice, ...] = Field(description="What each unit did when.")
    runs: tuple[RunCycles, ...] = Field(
        default=(), description="Of a network that selects tokens, the first 256 runs."
    )


class Verification(_Part):
    """Which executors have been proven equal to the integer reference; null: not tried."""

    csim: CsimResult | None = None
    rtl: RtlResult | None = None


class InstructionReport(_Part):
    """One instruction of the program."""

    index: int = Field(description="Place in the program, from 0.")
    label: str = Field(description="The operation of the model that it computes.")
    block: str = Field(description="`embedding`, `block N`, `head` or `control`.")
    part: str = Field(description="Its part of the block, such as `attention`.")
    opcode: str = Field(description="Mnemonic; `docs/program.md` says what it does.")
    text: str = Field(description="Disassembly: every field that is not zero.")
    macs: int = Field(
        description="Multiplications, channels padded to whole vectors counted as work."
    )
    cycles: int = Field(
        description="Predicted, stalls included; they add up to `cycles.predicted` of the report."
    )
    stalls: dict[str, int] = Field(
        description="Cycles of these in which no row enters the array, by cause."
    )


class InputReport(_Part):
    """The image that the network takes, uint8."""

    height: int = Field(description="Pixels.")
    width: int = Field(description="Pixels.")
    channels: int = Field(description="1 for grey, 3 for colour.")
    mean: tuple[float, ...] = Field(description="Subtracted from pixel / 255, per channel.")
    std: tuple[float, ...] = Field(description="Divided by after that, per channel.")


class Report(_Part):
    """Everything that is known about a design. A value that is not known yet is null."""

    schema_version: Literal[1] = Field(default=1, description="Of this list of keys.")
    model: str = Field(description="The model's name.")
    source: str = Field(description="`model.onnx` (the copy in this folder) or `preset:NAME`.")
    input: InputReport
    classes: tuple[str, ...] = Field(description="Names of the classes; empty: unknown.")
    board: str = Field(description="The board's name.")
    device: str = Field(description="The board's FPGA.")
    config_digest: str = Field(description="SHA-256 of the effective configuration.")
    tool_versions: dict[str, str | None] = Field(
        description="Versions of what made the design; null: the tool has not been run."
    )
    lanes: int = Field(description="The MAC array is lanes x lanes.")
    macs: int = Field(
        description="Multiplications of one image, padding not counted; with token selection the "
        "mean over the run shown."
    )
    parameters: int = Field(description="Weights, biases and embeddings of the model.")
    weight_bytes: int = Field(description="Size of the weight image in DDR.")
    clock_mhz: float = Field(description="Target clock of the engine.")
    batch: int = Field(description="Images of one run.")
    cycles: Cycles
    cycles_per_image: float = Field(description="Predicted cycles / batch.")
    fps: float = Field(description="Images per second at that clock, one run after the other.")
    latency_ms: float = Field(description="Time of one run at that clock.")
    mac_utilisation: float = Field(
        description="batch x macs / (cycles x lanes x lanes): 1.0 would be an array that never "
        "waits."
    )
    resources: ResourceReport
    timing: Timing | None = None
    pruning: Pruning | None = None
    fidelity: Fidelity = Fidelity()
    verification: Verification = Verification()
    limits: tuple[str, ...] = Field(description="What these figures do not say, in sentences.")
    instructions: tuple[InstructionReport, ...]

    def to_json(self) -> str:
        """The text of ``report.json``: the same report gives the same bytes."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"
