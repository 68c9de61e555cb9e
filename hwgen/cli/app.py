# SPDX-License-Identifier: Apache-2.0
"""The commands and their options."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from hwgen import __version__
from hwgen.cli.console import show_error, warnings_shown
from hwgen.errors import HwgenError

EXIT_ERROR = 2


class _Group(TyperGroup):
    """Turns an error that the user can mend into its message and exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            with warnings_shown():
                return super().invoke(ctx)
        except HwgenError as error:
            show_error(str(error))
            raise typer.Exit(EXIT_ERROR) from None
        except BrokenPipeError:
            raise
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            show_error(
                f"{place}{error.strerror or error}. Name another place, or correct its permissions."
            )
            raise typer.Exit(EXIT_ERROR) from None


class VerifyLevel(StrEnum):
    """What ``verify`` compares."""

    GOLDEN = "golden"
    CSIM = "csim"
    RTL = "rtl"


class CyclesLevel(StrEnum):
    """Where the cycles of ``latency-table`` come from."""

    RTL = "rtl"
    MODEL = "model"


class EngineKind(StrEnum):
    """Which of the two engines ``synth`` takes."""

    RTL = "rtl"
    HLS = "hls"


class SynthStep(StrEnum):
    """The steps of ``synth`` in order."""

    HLS = "hls"
    IP = "ip"
    DESIGN = "design"
    SYNTH = "synth"
    IMPL = "impl"
    BITSTREAM = "bitstream"


class Package(StrEnum):
    """What becomes of package tokens at the next selector."""

    MERGED = "merged"
    KEPT = "kept"


class Precision(StrEnum):
    """Matrix products of training."""

    NO = "no"
    BF16 = "bf16"


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Turns a trained vision transformer (ONNX) into an FPGA accelerator, proven bit for bit.",
)

Output = Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder to write.")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `hwgen build` wrote.")]
Images = Annotated[int | None, typer.Option("--images", min=1, help="Images to run; the first N.")]
Force = Annotated[
    bool, typer.Option("--force", help="Replace edited files in DIR; keep all other files.")
]


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"hwgen {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


@app.command()
def build(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file, or preset:NAME.")],
    output: Output,
    board: Annotated[
        str | None,
        typer.Option("--board", help="Board name or board.yaml; zcu102 unless configured."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Configuration, YAML.")
    ] = None,
    calib: Annotated[
        Path | None,
        typer.Option("--calib", metavar="DATA.npz", help="Calibration images (uint8 `images`)."),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option("--batch", min=1, max=4, help="Images of one run; 1 unless configured."),
    ] = None,
    force: Force = False,
) -> None:
    """Build an accelerator: HLS project, program and weights, and a report.

    Presets (`deit-tiny`, `deit-small`, `deit-base`, `fashion-vit`) have random weights: they are
    for sizing and speed.

    **Examples**

    `hwgen build vit.onnx --calib images.npz -o out`

    `hwgen build vit.onnx --calib images.npz --config hwgen.yaml --board zcu102 -o out --force`

    `hwgen build preset:deit-tiny --batch 4 -o out`
    """
    from hwgen.cli.build import run

    run(model, output, board, config, calib, force, batch)


@app.command()
def verify(
    directory: Folder,
    level: Annotated[
        VerifyLevel,
        typer.Option(
            "--level",
            help="golden: int8 against float. csim: HLS C++ against golden. rtl: SystemVerilog "
            "against golden, and its cycles.",
        ),
    ] = VerifyLevel.GOLDEN,
    images: Images = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DATA.npz", help="Images, with labels for top-1."),
    ] = None,
    twin: Annotated[
        bool,
        typer.Option(
            "--twin", help="rtl: the array's multipliers in C++, equal in every cycle, faster."
        ),
    ] = False,
    trace: Annotated[
        bool, typer.Option("--trace", help="rtl: write DIR/trace.json for ui.perfetto.dev.")
    ] = False,
    waves: Annotated[
        bool, typer.Option("--waves", help="rtl: write DIR/waves.fst, every signal; slow.")
    ] = False,
) -> None:
    """Compare the integer program with the float model, and the hardware with both.

    Without `--data` random pixels are used: enough to prove the hardware equal, not to measure
    accuracy. With labels in the data the top-1 accuracies are shown side by side. The results
    are added to the report.

    RTL simulation runs from image in memory to logits in memory. The first run for an engine
    compiles it (minutes); later ones, for any model on it, take the compiled one from the cache.

    **Examples**

    `hwgen verify out --level golden --data test.npz`

    `hwgen verify out --level csim --images 4 --data test.npz`

    `hwgen verify out --level rtl --images 1 --trace`
    """
    from hwgen.cli.verify import run

    run(directory, level.value, images, data, twin=twin, trace=trace, waves=waves)


@app.command()
def report(directory: Folder) -> None:
    """Show speed, size, accuracy and the disassembled program of a design.

    **Examples**

    `hwgen report out`

    `hwgen report out | less`
    """
    from hwgen.cli.report import run

    run(directory)


@app.command()
def estimate(
    directory: Folder,
    synth: Annotated[
        bool, typer.Option("--synth", help="Synthesise the SystemVerilog with Yosys and compare.")
    ] = False,
) -> None:
    """Show predicted cycles by cause and predicted resources part by part.

    With `--synth` Yosys makes a netlist of the engine: what each part takes beside the prediction,
    the longest path from register to register, and whether the board's limits are kept. The first
    run takes minutes; after that only what has changed is made again. The result is added to the
    report.

    **Examples**

    `hwgen estimate out`

    `hwgen estimate out --synth`
    """
    from hwgen.cli.estimate import run

    run(directory, synth)


@app.command()
def package(
    directory: Folder,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE.zip",
            help="File to write; MODEL-BOARD.zip unless given.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DATA.npz", help="Images, with labels perhaps, to carry."),
    ] = None,
    images: Annotated[int, typer.Option("--images", min=1, help="How many; the first N.")] = 16,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that is no package of hwgen.")
    ] = False,
) -> None:
    """Pack a design for its board: overlay, programs, example images, driver and notebooks.

    The bitstream is what `hwgen synth` left in DIR. Without it the package is complete but for
    that, and runs on the simulated board. Images come with the outputs that the accelerator must
    give; without `--data` they are random pixels. Two runs give the same bytes.

    **Examples**

    `hwgen package out --data test.npz`

    `hwgen package out --data test.npz --images 100 -o vit.zip`
    """
    from hwgen.cli.package import run

    run(directory, output, data, images, force)


@app.command()
def rehearse(
    package: Annotated[
        Path,
        typer.Argument(metavar="PACKAGE", help="Of `hwgen package`: the zip file or its folder."),
    ],
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NOTEBOOK.ipynb|SCRIPT.py",
            help="What to run; all notebooks of the package unless given.",
        ),
    ] = None,
    output: Output = Path("rehearsal"),
    python: Annotated[
        Path | None,
        typer.Option(
            "--python", metavar="PATH", help="Python with pynq; hwgen makes one unless given."
        ),
    ] = None,
    twin: Annotated[
        bool,
        typer.Option(
            "--twin", help="The array's multipliers in C++, equal in every cycle, faster."
        ),
    ] = False,
    timeout: Annotated[
        int, typer.Option("--timeout", min=1, metavar="S", help="Seconds that one cell may take.")
    ] = 900,
) -> None:
    """Run a package on the simulated board: its notebooks, or a script of yours.

    The package's own driver runs with pynq, and the engine is its SystemVerilog, simulated cycle by
    cycle. Executed notebooks and their figures are written to DIR. The first run makes a Python
    environment for pynq and compiles the simulator (minutes each); later ones take both from the
    cache. A script finds its package in the environment variable HWGEN_PACKAGE.

    **Examples**

    `hwgen rehearse vit-zcu102.zip`

    `hwgen rehearse vit-zcu102.zip 4_bring_up.ipynb -o somewhere`

    `hwgen rehearse vit-zcu102.zip my_application.py`
    """
    from hwgen.cli.rehearse import run

    run(package, names or [], output, python, twin, timeout)


@app.command()
def synth(
    directory: Folder,
    engine: Annotated[
        EngineKind,
        typer.Option("--engine", help="rtl: the SystemVerilog. hls: the C++, through Vitis HLS."),
    ] = EngineKind.RTL,
    step: Annotated[
        SynthStep, typer.Option("--step", help="The last step to do; hls only with --engine hls.")
    ] = SynthStep.BITSTREAM,
    host: Annotated[
        str | None,
        typer.Option(
            "--host", metavar="USER@MACHINE[:FOLDER]", help="Run the tools there, over SSH."
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, max=64, help="Processes that Vivado may run at once.")
    ] = 4,
) -> None:
    """Make the bitstream with Vivado: package the engine, build the block design, place and route.

    Takes hours for a large engine. A run that broke off goes on behind the last step that was done,
    as long as nothing that it depends on was changed. What Vivado found of resources and timing is
    added to the report; bitstream and hardware handoff are left in `DIR/vivado/output`, from where
    `hwgen package` takes them. `docs/vivado.md` tells what each step leaves.

    **Examples**

    `hwgen synth out`

    `hwgen synth out --step synth --jobs 8`

    `hwgen synth out --engine hls --host me@server:scratch/out`
    """
    from hwgen.cli.synth import run
    from hwgen.vivado.synthesis import Options

    run(directory, Options(engine.value, step.value, host, jobs))


@app.command("latency-table")
def latency_table(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file, or preset:NAME.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="File to write, JSON.")
    ],
    level: Annotated[
        CyclesLevel,
        typer.Option("--level", help="rtl: cycles of RTL simulation. model: predicted ones."),
    ] = CyclesLevel.RTL,
    keep: Annotated[
        str, typer.Option("--keep", metavar="RATIOS", help="Shares of the tokens; 1 is added.")
    ] = "1.0,0.9,0.8,0.7,0.6,0.5",
    batch: Annotated[
        int | None,
        typer.Option("--batch", min=1, max=4, help="Images of one run; 1 unless configured."),
    ] = None,
    board: Annotated[
        str | None,
        typer.Option("--board", help="Board name or board.yaml; zcu102 unless configured."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Configuration, YAML.")
    ] = None,
) -> None:
    """Measure how long each block takes with fewer tokens, for `hwgen prune`.

    One run of RTL simulation for each keep ratio gives the cycles of all blocks and of a token
    selector. Weights do not matter, so any images do. What was measured is kept in the cache: an
    interrupted command goes on where it stopped.

    **Examples**

    `hwgen latency-table vit.onnx -o latency.json`

    `hwgen latency-table preset:deit-small --batch 4 --keep 1,0.7,0.42 -o latency.json`
    """
    from hwgen.cli.latency_table import run

    run(model, output, level.value, keep, batch, board, config)


@app.command()
def prune(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file, unpruned.")],
    data: Annotated[
        Path, typer.Option("--data", metavar="TRAIN.npz", help="Training images with labels.")
    ],
    test: Annotated[
        Path, typer.Option("--test", metavar="TEST.npz", help="Test images with labels.")
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE", help="ONNX file to write; a log beside it."),
    ],
    target_latency: Annotated[
        float | None,
        typer.Option(
            "--target-latency", metavar="MS", min=0, help="Milliseconds an image may take."
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--table", metavar="FILE", help="Of `hwgen latency-table`; predicted cycles without."
        ),
    ] = None,
    selectors: Annotated[
        str | None,
        typer.Option(
            metavar="LIST", help="Blocks with a selector in front, as 3,5; the first is 1."
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            metavar="LIST", help="Shares of the image's tokens behind them, as 0.45,0.25."
        ),
    ] = None,
    package: Annotated[
        Package,
        typer.Option(help="merged: one package token at most. kept: one more for each selector."),
    ] = Package.MERGED,
    features: Annotated[
        int, typer.Option(min=1, max=1024, help="Local features a head of a selector.")
    ] = 16,
    threshold: Annotated[float, typer.Option(help="Tokens with a higher score stay.")] = 0.5,
    max_drop: Annotated[
        float,
        typer.Option(
            min=0, max=100, help="Percent of accuracy that the search for a schedule may lose."
        ),
    ] = 0.5,
    search_steps: Annotated[
        int, typer.Option(min=1, help="Training steps for each candidate of the search.")
    ] = 100,
    epochs: Annotated[float, typer.Option(min=0, max=10_000)] = 6.0,
    batch: Annotated[int, typer.Option(min=1, help="Images of a training step.")] = 128,
    warm_up: Annotated[
        int, typer.Option(min=0, help="Steps in which the selectors alone are trained, first.")
    ] = 120,
    lr: Annotated[float, typer.Option(min=0, max=1, help="Learning rate of the selectors.")] = 1e-3,
    backbone_lr: Annotated[
        float,
        typer.Option(min=0, max=10, help="Learning rate of all other weights, relative to --lr."),
    ] = 0.15,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Mirror half of the training images.")
    ] = False,
    shift: Annotated[
        int, typer.Option(min=0, max=1024, help="Move training images by up to so many pixels.")
    ] = 0,
    precision: Annotated[
        Precision, typer.Option(help="Of matrix products in training; float32 with `no`.")
    ] = Precision.NO,
    qat_epochs: Annotated[
        float,
        typer.Option(min=0, max=10_000, help="Epochs after that in the accelerator's integers."),
    ] = 0.0,
    qat_lr: Annotated[float, typer.Option(min=0, max=1, help="Learning rate of these.")] = 1e-4,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1)] = 0,
    threads: Annotated[
        int, typer.Option(min=0, max=1024, help="CPU threads; 0: torch's choice.")
    ] = 0,
    board: Annotated[
        str | None, typer.Option("--board", help="Board of the predicted cycles.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="Configuration, YAML; of the predicted cycles too."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint beside the output.")
    ] = False,
) -> None:
    """Train token selectors into a model, towards a latency, on your own data.

    Data files hold `images` (uint8) and `labels`. How far to prune is given by blocks and shares
    (`--selectors`, `--keep`), by blocks and a latency, or by a latency alone: then the schedule is
    searched for. Needs `pip install 'hwgen[train]'`. On several GPUs:
    `accelerate launch -m hwgen prune ...`.

    **Examples**

    `hwgen prune vit.onnx --data train.npz --test test.npz --target-latency 0.5 -o pruned.onnx`

    `hwgen prune vit.onnx --data train.npz --test test.npz --selectors 3,5 --keep 0.42,0.22
    -o pruned.onnx`
    """
    from hwgen.cli.prune import Files, Integers, Options, blocks, numbers, run
    from hwgen.prune.plan import Request

    request = Request(
        selectors=blocks(selectors),
        keep=numbers(keep, "--keep"),
        target_ms=target_latency,
        package=package.value,
        features=features,
        threshold=threshold,
        allowed_drop=max_drop / 100,
        search_steps=search_steps,
    )
    options = Options(
        epochs=epochs,
        batch=batch,
        warm_up=warm_up,
        lr=lr,
        backbone_lr=backbone_lr,
        mirror=mirror,
        shift=shift,
        seed=seed,
        precision=precision.value,
    )
    files = Files(model, data, test, output, table, board, config)
    run(files, request, options, Integers(qat_epochs, qat_lr), threads, resume)


@app.command()
def doctor() -> None:
    """Show which tools were found, their versions, and what each enables.

    **Example**

    `hwgen doctor`
    """
    from hwgen.cli.doctor import run

    run()


@app.command()
def demo(
    output: Output = Path("hwgen-demo"),
    images: Annotated[int, typer.Option("--images", min=1, help="Images to C-simulate.")] = 10,
    force: Force = False,
) -> None:
    """Build, simulate and measure the shipped Fashion-MNIST transformer.

    **Examples**

    `hwgen demo`

    `hwgen demo -o somewhere --images 100`
    """
    from hwgen.cli.demo import run

    run(output, images, force)
