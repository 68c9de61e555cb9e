# SPDX-License-Identifier: Apache-2.0
"""The Python face of hwgen: build a design, write it, open it, ask it."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from hwgen.boards import Board, load_board
from hwgen.compile import compile_model, compile_scaled
from hwgen.compile.groups import Batch
from hwgen.compile.rows import single_rows
from hwgen.config import Config, EngineSettings, InputSettings, load_config
from hwgen.data_files import Data, load_data
from hwgen.emit.hls import hls_project
from hwgen.emit.plan import BuildPlan, check_files, update_files
from hwgen.emit.program_files import FOLDER, program_files, read_program
from hwgen.emit.rtl import FOLDER as RTL
from hwgen.emit.rtl import rtl_project
from hwgen.errors import DataError, OutputError, ProgramError, VerificationError
from hwgen.estimate.timing import timing_for
from hwgen.golden.selections import Selections, selections
from hwgen.ir.blocks import without_selectors
from hwgen.ir.count import macs, parameters
from hwgen.ir.graph import Graph
from hwgen.passes import canonicalise
from hwgen.program.program import Program
from hwgen.progress import Progress, silent
from hwgen.report.html import html
from hwgen.report.limits import random_weights, with_limits
from hwgen.report.make import make_report, speed, yosys_report
from hwgen.report.pruning import MacsOf, Run, pruning, run_macs, with_shares
from hwgen.report.schema import Report, RtlResult
from hwgen.sim.rtl import Memory
from hwgen.sim.rtl_build import Options, read_rtl
from hwgen.sim.timeline import chrome_trace
from hwgen.source import COPY, PREFIX, Source
from hwgen.synthesis.engine import synthesise_engine
from hwgen.verification import (
    Level,
    Prediction,
    Verification,
    check_labels,
    compare_csim,
    compare_rtl,
    fidelity,
    float_classes,
    golden,
    prediction,
)
from hwgen.vivado.project import vivado_project
from hwgen.vivado.synthesis import Options as SynthesisOptions
from hwgen.vivado.synthesis import Synthesised, synthesise

CONFIG, BOARD, REPORT, PAGE = "hwgen.yaml", "board.yaml", "report.json", "report.html"
"""Names in a design folder, beside ``program/``, ``hls/``, ``rtl/`` and the model's copy."""
TRACE, WAVES = "trace.json", "waves.fst"
"""What ``verify`` may leave there."""

RANDOM_CALIBRATION = 4
"""Random images on which a preset is calibrated when it is given none."""
DEFAULT_IMAGES = {"golden": 64, "csim": 2, "rtl": 1}
"""Random images that ``verify`` tries when it is given none."""
TEST_BENCH_RUNS = 1
"""Runs of calibration images that the HLS test bench carries."""

PRUNING_IMAGES = 8
"""Calibration images whose token selections the report of a new design shows."""

_LOG = logging.getLogger(__name__)


class Design:
    """A model compiled for an engine. ``build`` makes one, ``open_design`` reads one.

    Attributes:
        config: the effective configuration.
        board: the board it is for.
        program: instructions and weights.
        directory: the folder it was written to or read from; None before ``write``.
    """

    def __init__(
        self,
        source: Source,
        config: Config,
        board: Board,
        program: Program,
        report: Report,
        *,
        built: np.ndarray | None = None,
        directory: Path | None = None,
    ) -> None:
        self.config = config
        self.board = board
        self.program = program
        self.directory = directory
        self._source = source
        self._report = report
        self._built = built

    def report(self) -> dict[str, Any]:
        """The content of ``report.json``; ``docs/report.md`` explains it."""
        return self._report.model_dump(mode="json", by_alias=True)

    @property
    def summary(self) -> Report:
        """The report as an object."""
        return self._report

    def write(self, directory: str | Path, force: bool = False) -> None:
        """Writes the folder: all of it, or nothing.

        Raises:
            OutputError: the folder holds something else and ``force`` is not given.
        """
        if self._built is None:
            raise ProgramError(
                f"This design was opened from {self.directory}; copy that folder, or build the "
                "model again to write it elsewhere."
            )
        directory = Path(directory)
        files = {
            **program_files(self.program),
            **self._hls(self._built),
            **rtl_project(self.program.engine),
            **vivado_project(self.board, self.program.engine, self._report.clock_mhz),
            **self._source.copy(),
            CONFIG: self.config.to_yaml().encode(),
            BOARD: self.board.to_yaml().encode(),
            **self._report_files(),
        }
        BuildPlan(files).write(directory, force=force)
        self.directory = directory

    def attach(self, name: str, content: bytes) -> None:
        """Adds a file to the written folder; a later ``write`` there may replace it.

        Raises:
            OutputError: there is no folder yet.
        """
        if self.directory is None:
            raise OutputError("The design has no folder yet; call write() first.")
        update_files(self.directory, {name: content})

    def predict(self, images: np.ndarray) -> Prediction:
        """Classes by the integer reference, for uint8 images (N, H, W, C) or (N, H, W).

        Raises:
            DataError: the images do not fit the model.
        """
        return prediction(self.program, golden(self.program, images, silent), len(images))

    def verify(
        self,
        level: Level = "golden",
        data: Data | str | Path | None = None,
        images: int | None = None,
        progress: Progress | None = None,
        *,
        twin: bool = False,
        trace: bool = False,
        waves: bool = False,
    ) -> Verification:
        """Runs the integer reference and the float model; at level ``csim`` the HLS C++ too, at
        level ``rtl`` the SystemVerilog engine, whose cycles it measures.

        What is found enters the report; in a written folder it is brought up to date. Accuracy
        measured on more images than a C simulation ran stays.

        Args:
            data: images, with labels for the top-1 figures; random pixels where None.
            images: how many of them, the first ones; None for all (64, 2 or 1 random ones).
            twin: RTL: the multipliers of the array are their C++ twin, several times as fast.
            trace: RTL: write ``trace.json`` of the first run into the folder.
            waves: RTL: write ``waves.fst``, the signals of the runs of the first simulator.

        Raises:
            VerificationError: simulation and reference disagree; names the first difference.
            DataError, ModelError, ToolError: as the message says.
        """
        progress = progress or silent
        chosen = self._data(data, images, level)
        check_labels(chosen, self.program.output.columns)
        selected = Selections(self.program)
        output = golden(self.program, chosen.images, progress, selected)
        int8 = prediction(self.program, output, len(chosen)).labels
        csim = rtl = None
        try:
            if level == "csim":
                files = self.directory or self._hls(self._need_built())
                csim = compare_csim(files, self.program, chosen.images, output, progress)
            elif level == "rtl":
                rtl = self._rtl(chosen, output, selected.runs, progress, twin, trace, waves)
        except VerificationError:
            self._forget(level)
            raise
        logits = self._source.float_logits(self.config.input)
        float_ = float_classes(logits, chosen.images, progress)
        found = fidelity(chosen, int8, float_)
        known_better = level != "golden" and (self._report.fidelity.images or 0) > len(chosen)
        self._record(None if data is None or known_better else found, csim, rtl)
        if selected.runs:
            self._record_pruning(selected.runs, chosen, level, data is not None, rtl is not None)
        return Verification(level, data is not None, found, int8, float_, csim, rtl)

    def estimate(self, progress: Progress | None = None) -> Report:
        """Synthesises the engine's SystemVerilog with Yosys and returns the report with what came
        out (``resources.yosys``); a written folder is brought up to date.

        Raises:
            ToolError: Yosys is missing or failed.
        """
        found = synthesise_engine(self.program.engine, progress or silent)
        resources = self._report.resources.model_copy(update={"yosys": yosys_report(found)})
        self._replace(self._report.model_copy(update={"resources": resources}))
        return self._report

    def synthesise(
        self, options: SynthesisOptions | None = None, progress: Progress | None = None
    ) -> Synthesised | None:
        """Runs Vivado on the written folder, to a bitstream in ``vivado/output/``. What it found of
        the routed design enters the report (``resources.synth``, ``timing``).

        Returns:
            What was found; None where the last step asked for comes before that. Where timing is
            not met there is no bitstream.

        Raises:
            OutputError: the design has no folder yet.
            ToolError: Vivado is missing, failed, or cannot be reached. The report stays as it was.
        """
        if self.directory is None:
            raise OutputError("Vivado works in the design's folder; call write() first.")
        found = synthesise(
            self.directory,
            self.board.part,
            self._report.clock_mhz,
            options or SynthesisOptions(),
            progress or silent,
        )
        if found is not None:
            known = {"vivado": found.vivado, "vitis": found.hls}
            resources = {"synth": found.engine, "synth_design": found.design}
            update = {
                "tool_versions": {**self._report.tool_versions, **known},
                "resources": self._report.resources.model_copy(update=resources),
                "timing": found.timing,
            }
            self._replace(self._report.model_copy(update=update))
        return found

    def _rtl(
        self,
        data: Data,
        expected: np.ndarray,
        selected: list[Run],
        progress: Progress,
        twin: bool,
        trace: bool,
        waves: bool,
    ) -> RtlResult:
        """Runs the RTL; writes what ``trace`` and ``waves`` ask for into the folder."""
        if (trace or waves) and self.directory is None:
            raise OutputError("trace and waves go into the design's folder; call write() first.")
        if self.directory is not None:
            files = read_rtl(self.directory)
        else:
            project = rtl_project(self.program.engine)
            files = {name.removeprefix(f"{RTL}/"): data for name, data in project.items()}
        timing = timing_for(self.board, self._report.clock_mhz)
        memory = Memory(timing.ddr_bytes, timing.ddr_latency)
        options = Options(twin, waves)
        file = self.directory / WAVES if waves and self.directory is not None else None
        result, timeline = compare_rtl(
            files,
            options,
            memory,
            self.program,
            data.images,
            expected,
            run_macs(self.program, selected[0], self._macs_of()) if selected else self._report.macs,
            progress,
            file,
            selected,
        )
        if trace and self.directory is not None:
            content = chrome_trace(timeline, self.program, self._report.clock_mhz)
            self.attach(TRACE, content)
        return result

    def _data(self, data: Data | str | Path | None, count: int | None, level: Level) -> Data:
        if count is not None and count < 1:
            raise DataError(f"{count} images were asked for; at least one is needed.")
        if data is None:
            return Data(_random_images(self._report, count or DEFAULT_IMAGES[level], seed=1))
        return (data if isinstance(data, Data) else load_data(data)).first(count)

    def _need_built(self) -> np.ndarray:
        assert self._built is not None, "a design is built here or has a folder"
        return self._built

    def _hls(self, images: np.ndarray) -> dict[str, bytes]:
        beats = self.program.input.pack(images, self.program.engine.lanes)
        return hls_project(self.program, self.board.part, self._report.clock_mhz, beats)

    def _report_files(self) -> dict[str, bytes]:
        return {REPORT: self._report.to_json().encode(), PAGE: html(self._report)}

    def _record(self, found: Any, csim: Any, rtl: RtlResult | None) -> None:
        """Puts results into the report, and into the folder where there is one."""
        report = self._report
        if found is not None:
            report = report.model_copy(update={"fidelity": found})
        if csim is not None:
            report = report.model_copy(
                update={"verification": report.verification.model_copy(update={"csim": csim})}
            )
        if rtl is not None:
            report = report.model_copy(
                update={
                    "cycles": report.cycles.model_copy(update={"measured": rtl.cycles}),
                    "verification": report.verification.model_copy(update={"rtl": rtl}),
                }
            )
        self._replace(report)

    def _record_pruning(
        self, runs: list[Run], data: Data, level: Level, real: bool, measured: bool
    ) -> None:
        """Puts what token selections did into the report. Predictions become those of the first
        run that was measured; what is known of more images, or of real ones, stays.
        """
        report, macs_of = self._report, self._macs_of()
        if measured:
            size = run_macs(self.program, runs[0], macs_of)
            found = speed(self.program, self.board, report.clock_mhz, size, runs[0])
            cycles = found["cycles"].model_copy(update={"measured": report.cycles.measured})
            report = report.model_copy(update={**found, "macs": size, "cycles": cycles})
        known = report.pruning
        better = known is not None and (known.real, known.images) > (real, len(data))
        if not better or (level == "golden" and real):
            timing = timing_for(self.board, report.clock_mhz)
            seen = pruning(
                self.program,
                timing,
                runs,
                data.images,
                report.instructions,
                macs_of,
                self._macs_dense(),
                real=real,
            )
            report = report.model_copy(update={"pruning": seen})
        self._replace(with_shares(report))

    def _macs_of(self) -> MacsOf:
        """The network's multiplications by the rows that its selectors leave."""
        return _macs_of(canonicalise(self._source.graph(self.config.input)), self.config)

    def _macs_dense(self) -> int:
        """The network's multiplications without its selectors."""
        return _macs_dense(self._source.graph(self.config.input), self.config)

    def _forget(self, level: Level) -> None:
        """Takes an earlier success of a level out of the report: it is no longer true."""
        report = self._report
        verification = report.verification.model_copy(update={level: None})
        cycles = report.cycles.model_copy(update={"measured": None} if level == "rtl" else {})
        self._replace(report.model_copy(update={"verification": verification, "cycles": cycles}))

    def _replace(self, report: Report) -> None:
        report = with_limits(report)
        if report == self._report:
            return
        self._report = report
        if self.directory is not None:
            update_files(self.directory, self._report_files())


def build(
    model: str | Path,
    board: str | None = None,
    config: Config | str | Path | None = None,
    calibration: Data | np.ndarray | str | Path | None = None,
    progress: Progress | None = None,
    batch: int | None = None,
) -> Design:
    """Reads, quantises and compiles a model. Nothing is written.

    Args:
        model: an ONNX file, or ``preset:NAME`` for random weights.
        board: in place of the configuration's.
        config: a YAML file, or a Config; the defaults where None.
        calibration: images the model is meant for; presets take random ones where None.
        batch: images of one run, 1 to 4, in place of the configuration's.

    Raises:
        HwgenError: the message says what is wrong and what to do.
    """
    progress = progress or silent
    settings = config if isinstance(config, Config) else load_config(config)
    if batch is not None:
        settings = settings.with_batch(batch)
    target = load_board(settings.board if board is None else board)
    source = Source.of(model)
    if calibration is None and source.path is not None:
        _need_calibration(source.path)
    progress("reading the model", 0, 0)
    graph = source.graph(settings.input)
    settings = _effective(settings, target, graph)
    trained = source.quantisation()
    if trained is not None:
        quantisation = trained.applied(settings.quantisation)
        settings = settings.model_copy(update={"quantisation": quantisation})
    images = _calibration(calibration, source, graph, settings)
    canonical = canonicalise(graph)
    engine = settings.engine.resolve()
    tile_rows = timing_for(target, settings.clock_mhz).tile_rows(engine.lanes)
    options: dict[str, Any] = {
        "class_token_only": settings.class_token_only,
        "batch": Batch(settings.batch, tile_rows),
    }
    if trained is not None:
        scales = trained.scales(canonical)
        program = compile_scaled(canonical, scales, settings.quantisation, engine, **options)
    else:
        program = compile_model(
            canonical,
            images,
            settings.quantisation,
            engine,
            progress=lambda done, total: progress("quantising", done, total),
            **options,
        )
    progress("estimating", 0, 0)
    built = images[: TEST_BENCH_RUNS * settings.batch]
    shown = images[:PRUNING_IMAGES]
    runs = selections(program, program.input.pack(shown, engine.lanes))
    macs_of = _macs_of(canonical, settings)
    size = run_macs(program, runs[0], macs_of) if runs else macs_of(()), parameters(graph)
    report = make_report(source.recorded, graph, size, program, target, settings, runs)
    if runs:
        found = pruning(
            program,
            timing_for(target, report.clock_mhz),
            runs,
            shown,
            report.instructions,
            macs_of,
            _macs_dense(graph, settings),
            real=calibration is not None,
        )
        report = with_limits(report.model_copy(update={"pruning": found}))
    return Design(source, settings, target, program, report, built=built)


def _macs_of(canonical: Graph, settings: Config) -> MacsOf:
    single = single_rows(canonical) if settings.class_token_only else {}
    return lambda rows: macs(canonical, single, rows)


def _macs_dense(graph: Graph, settings: Config) -> int:
    return _macs_of(canonicalise(without_selectors(graph)), settings)(())


def open_design(directory: str | Path) -> Design:
    """A design that ``write`` wrote.

    Raises:
        ProgramError: the folder is no design, is damaged, or was edited outside ``hls/``,
            ``rtl/`` and ``vivado/``.
    """
    directory = Path(directory)
    try:
        report = Report.model_validate_json((directory / REPORT).read_bytes())
    except OSError as error:
        raise ProgramError(
            f"{directory} is no folder that hwgen wrote: {REPORT} cannot be read "
            f"({error.strerror}). Make one with 'hwgen build MODEL -o {directory}'."
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ProgramError(
            f"{directory / REPORT} is damaged or from another version of hwgen ({place}: "
            f"{first['msg']}). Build the model again."
        ) from None
    if report.source.startswith(PREFIX):
        source = Source.of(report.source)
    else:
        source = Source(report.model, directory / COPY)
    program = read_program(directory)
    # hls/ and rtl/ may be edited: simulation says what is true of them.
    check_files(directory, REPORT, CONFIG, BOARD, COPY, f"{FOLDER}/")
    config, board = load_config(directory / CONFIG), load_board(directory / BOARD)
    return Design(source, config, board, program, report, directory=directory)


def _effective(config: Config, board: Board, graph: Graph) -> Config:
    """``config`` with every default written out, so that it says all that the design depends on."""
    engine = config.engine.resolve(board.engine)
    return config.model_copy(
        update={
            "board": board.name,
            "clock_mhz": config.clock_mhz or board.clock_mhz,
            "input": InputSettings(mean=graph.input.mean, std=graph.input.std),
            "engine": EngineSettings(**vars(engine)),
        }
    )


def _need_calibration(path: Path) -> None:
    if path.is_file():
        raise DataError(
            f"{path.name} needs calibration images: quantisation takes the ranges of its "
            "activations from them. Give 32 to 128 typical images with --calib DATA.npz (in "
            "Python: calibration=...): an array 'images', uint8, N x height x width [x channels]."
        )


def _calibration(
    given: Data | np.ndarray | str | Path | None, source: Source, graph: Graph, config: Config
) -> np.ndarray:
    """Calibration images, uint8 (N, H, W, C)."""
    shape = (graph.input.height, graph.input.width, graph.input.channels)
    if given is None:
        warning = f"No calibration data: {RANDOM_CALIBRATION} random images are used."
        _LOG.warning("%s %s", random_weights(source.name), warning)
        return _random((RANDOM_CALIBRATION, *shape), seed=0)
    if isinstance(given, np.ndarray):
        given = Data(given[..., None] if given.ndim == 3 else given)
    elif not isinstance(given, Data):
        given = load_data(given)
    images = given.first(config.quantisation.calibration_images).images
    if images.dtype != np.uint8 or images.shape[1:] != shape or not len(images):
        raise DataError(
            f"The calibration images are {images.dtype} of shape {images.shape}; {source.name} "
            f"takes uint8 of shape (N, {', '.join(map(str, shape))}): height, width, channels."
        )
    return images


def _random_images(report: Report, count: int, seed: int) -> np.ndarray:
    image = report.input
    return _random((count, image.height, image.width, image.channels), seed)


def _random(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
