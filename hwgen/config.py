# SPDX-License-Identifier: Apache-2.0
"""The one configuration file, ``hwgen.yaml``: what it may hold, and how it is read."""

import difflib
import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from hwgen.errors import ConfigError
from hwgen.program.engine import EngineConfig


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: object, info: ValidationInfo) -> object:
        """``clock_mhz: yes`` is a mistake, not 1 MHz."""
        wanted = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and wanted in (int, float, int | None, float | None):
            raise PydanticCustomError("truth_value", "should be a number")
        return value


Channels = Annotated[tuple[float, ...], Field(min_length=1, max_length=4)]
Positive = Annotated[float, Field(gt=0)]
PositiveChannels = Annotated[tuple[Positive, ...], Field(min_length=1, max_length=4)]


class InputSettings(_Section):
    """How pixels are normalised: the model sees ``(pixel / 255 - mean) / std`` per channel."""

    mean: Channels | None = Field(
        default=None,
        description="Mean of each channel, of pixels scaled to 0..1. Default: the model's.",
    )
    std: PositiveChannels | None = Field(
        default=None, description="Standard deviation of each channel. Default: the model's."
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std belong together: give both or neither")
        if self.mean is not None and self.std is not None and len(self.mean) != len(self.std):
            raise ValueError(
                f"mean has {len(self.mean)} numbers and std {len(self.std)}: one per channel each"
            )
        return self


class Quantisation(_Section):
    """How float weights and activations become integers."""

    power_of_two: bool = Field(
        default=False, description="Scales are powers of two: requantisation is a shift alone."
    )
    percentile: float = Field(
        default=100.0,
        gt=50,
        le=100,
        description="Activation ranges cover this share of calibration values; 100 clips nothing.",
    )
    gelu_delta: float = Field(default=1.0, gt=0, le=1, description="Regularisation factor of GELU.")
    softmax_delta: float = Field(
        default=1.0, gt=0, le=1, description="Regularisation factor of softmax."
    )
    calibration_images: int = Field(
        default=64,
        ge=1,
        le=65536,
        description="Images taken from the calibration data, the first ones.",
    )


class EngineSettings(_Section):
    """Sizes of the engine that differ from the board's default; see ``EngineConfig``."""

    lanes: int | None = Field(
        default=None,
        description="Rows and columns of the MAC array: 16, 32 or 64. Depths not given then keep "
        "the buffers' bytes.",
    )
    max_rows: int | None = Field(default=None, description="Rows of the accumulator.")
    score_depth: int | None = Field(default=None, description="Vectors of one head's score buffer.")
    residual_depth: int | None = Field(
        default=None, description="int16 vectors of the residual buffer."
    )
    work_depth: int | None = Field(default=None, description="int8 vectors of the work buffer.")
    value_depth: int | None = Field(default=None, description="int8 vectors of the value buffer.")
    prefetch_depth: int | None = Field(
        default=None, ge=1, le=1 << 20, description="Beats of the weight prefetch buffer."
    )

    def resolve(self, default: EngineConfig | None = None) -> EngineConfig:
        """``default`` (the ordinary engine where None) with what is set here put in.

        Where ``lanes`` alone is set, depths keep the buffers' bytes: half the lanes, twice the
        vectors.

        Raises:
            ConfigError: the engine does not come in that size.
        """
        base = default or EngineConfig()
        lanes = self.lanes or base.lanes
        depths = {
            name: value if name == "max_rows" else value * base.lanes // lanes
            for name, value in vars(base).items()
        }
        return EngineConfig(**{**depths, "lanes": lanes, **self.model_dump(exclude_none=True)})


class Config(_Section):
    """Everything a user can choose. Two equal configurations give byte-identical designs."""

    board: str = Field(
        default="zcu102", description="A board that hwgen knows, or the path of a board.yaml."
    )
    clock_mhz: float | None = Field(
        default=None, gt=0, le=1000, description="Clock of the engine in MHz. Default: the board's."
    )
    class_token_only: bool = Field(
        default=False,
        description="The last block computes the class token's row only; the others are not read.",
    )
    batch: int = Field(
        default=1,
        ge=1,
        le=4,
        description="Images of one run: they share weights where one has too few rows.",
    )
    input: InputSettings = InputSettings()
    quantisation: Quantisation = Quantisation()
    engine: EngineSettings = EngineSettings()

    @field_validator("input", "quantisation", "engine", mode="before")
    @classmethod
    def _empty_section(cls, value: object) -> object:
        """A section whose keys are all left out (or commented out) has its defaults."""
        return {} if value is None else value

    def with_batch(self, images: int) -> Self:
        """The same with ``images`` images a run.

        Raises:
            ConfigError: not 1 to 4.
        """
        try:
            return type(self).model_validate({**self.model_dump(), "batch": images})
        except ValidationError as error:
            raise ConfigError(_explain(error, "build")) from None

    def digest(self) -> str:
        """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_yaml(self) -> str:
        """The configuration as a file that ``load_config`` reads back to an equal one."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def load_config(path: str | Path | None) -> Config:
    """Reads a YAML configuration; the defaults where ``path`` is None or the file is empty.

    Raises:
        ConfigError: no such file, broken YAML, a repeated or unknown key, a wrong type or range.
    """
    if path is None:
        return Config()
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(
            f"The configuration {path} cannot be read: {reason}. Give a YAML file, or leave "
            "--config out for the defaults."
        ) from None
    return parse_config(text, str(path))


def parse_config(text: str, source: str) -> Config:
    """The configuration in YAML ``text``; ``source`` names it in messages. Raises ConfigError."""
    values = _read_yaml(text, source)
    if values is None:
        return Config()
    if not isinstance(values, dict):
        raise ConfigError(
            f"{source} holds a {type(values).__name__}, not keys and values. Write lines such as "
            "'board: zcu102'."
        )
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error, source)) from None
    try:
        config.engine.resolve()
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None
    return config


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            problem = None
            if not isinstance(key, yaml.ScalarNode):
                problem = "a key must be a word"
            elif key.value in seen:
                problem = f"the key {key.value!r} stands here and on line {seen[key.value]}"
            if problem:
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen[key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)


def _read_yaml(text: str, source: str) -> Any:
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" line {mark.line + 1}:" if mark else ":"
        raise ConfigError(
            f"{source},{line} {error.problem or 'not YAML'}. Correct that line."
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{source} is not YAML: {error}.") from None


def _sections(model: type[BaseModel], place: tuple[str | int, ...]) -> type[BaseModel]:
    """The section that ``place`` leads to."""
    for part in place:
        model = model.model_fields[str(part)].annotation  # type: ignore[assignment]
    return model


def _key_advice(place: tuple[str | int, ...]) -> str:
    """What to write instead of the unknown key at ``place``."""
    *section, unknown = place
    known = _sections(Config, tuple(section)).model_fields
    near = difflib.get_close_matches(str(unknown), known, 1, 0.5)
    if near:
        return f"Did you mean {near[0]!r}?"
    for name, field in Config.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            deep = difflib.get_close_matches(str(unknown), inner.model_fields, 1, 0.7)
            if deep and not section:
                return f"Did you mean {deep[0]!r} under {name!r}?"
    top = difflib.get_close_matches(str(unknown), Config.model_fields, 1, 0.7)
    if top and section:
        return f"Did you mean {top[0]!r}, which stands at the top level?"
    return f"Keys known there: {', '.join(known)}."


_REASONS = {
    "too_short": "it should be a list of numbers, one per channel",
    "too_long": "it should be a list of at most four numbers, one per channel",
    "tuple_type": "it should be a list of numbers, one per channel",
    "model_type": "it is a section and holds keys",
    "invalid_key": "a key must be a word",
    "none_required": "it should be a list of numbers, one per channel",
    "float_parsing": "it should be a number",
    "int_parsing": "it should be a whole number",
    "int_from_float": "it should be a whole number",
    "bool_parsing": "it should be true or false",
    "bool_type": "it should be true or false",
    "string_type": "it should be text; put it in quotes",
}
"""What we say for pydantic's error types that read badly."""


def _explain(error: ValidationError, source: str) -> str:
    """One paragraph about the first thing that is wrong."""
    found = error.errors(include_url=False)
    first = found[0]
    place = tuple(part for part in first["loc"] if not _is_branch(part))
    name = ".".join(str(part) for part in place)
    more = f" ({len(found) - 1} more after this one.)" if len(found) > 1 else ""
    if first["type"] == "extra_forbidden":
        *section, unknown = place
        where = f"in section {'.'.join(map(str, section))!r}" if section else "at the top level"
        return f"{source}: unknown key {unknown!r} {where}. {_key_advice(place)}{more}"
    if first["type"] == "value_error":
        return f"{source}: {name}: {first['msg'].removeprefix('Value error, ')}.{more}"
    reason = _REASONS.get(first["type"])
    if reason is None:
        text = first["msg"].removeprefix("Input ")
        reason = f"it {text[0].lower()}{text[1:]}"
    return f"{source}: {name} is {first['input']!r}, but {reason}.{more}"


def _is_branch(part: str | int) -> bool:
    """Whether pydantic put the name of a union branch here, not a key."""
    return isinstance(part, str) and ("[" in part or part in ("float", "int", "tuple"))
