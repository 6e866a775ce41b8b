"""The shape of `sot.toml`: which keys exist, what they may hold and what they default to.

Only validation lives here; what the values mean together with environment and flags is decided
in `workspace.py`.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints, ValidationError

from sot_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# A workspace of a thousand projects takes a quarter of it.
MAX_BYTES = 1024 * 1024
MAX_DOTS = 1_000

ProjectId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
FileType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Prefix = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9]*$")]  # no "_": keys are split at it
NonEmpty = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class _Section(BaseModel):
    # defer_build: one schema for the whole file when it is read, none at import.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class WorkspaceSection(_Section):
    """`[workspace]`: the targets and how far a run may go."""

    database_url: NonEmpty | None = None
    qdrant: NonEmpty | None = None
    embedding: NonEmpty | None = None
    embedding_dimension: int | None = Field(default=None, ge=1, le=65_536)
    max_ledger_mib: int = Field(default=64, ge=1, le=1_048_576)


class SchedulesSection(_Section):
    """`[schedules]`: cron strings and their time zone (IANA name)."""

    nightly_full_rebuild: NonEmpty = "0 3 * * *"
    hourly_verify: NonEmpty = "0 * * * *"
    timezone: NonEmpty = "UTC"
    keep_runs: int = Field(default=500, ge=1)


class SearchSection(_Section):
    """`[search]`: how much the semantic score weighs in a hybrid answer, 0 to 1."""

    semantic_weight: float | None = Field(default=None, ge=0.0, le=1.0)


class NotifySection(_Section):
    """`[notify]`: where a failed run is posted to."""

    webhook_url: NonEmpty | None = None


class LedgerSection(_Section):
    """`[[project.ledger]]`: a ledger that is not one of the three defaults, or elsewhere."""

    file_type: FileType
    path: NonEmpty | None = None
    prefix: Prefix | None = None


class SkillsSection(_Section):
    """`[project.skills]`."""

    path: NonEmpty = "skills"


class CodeSection(_Section):
    """`[project.code]`: globs relative to the project root; `embed`: points of what stands in the files, too."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    embed: StrictBool = False


class IgnoredLink(_Section):
    """One entry of `[project.links] ignore`."""

    source: NonEmpty
    target: NonEmpty
    reason: str = ""


class LinksSection(_Section):
    """`[project.links]`."""

    include: tuple[str, ...] = ("README.md", "docs/**/*.md")
    exclude: tuple[str, ...] = ()
    nav: tuple[str, ...] = ()
    docs_root: NonEmpty | None = None
    fail_on: tuple[str, ...] = ("missing_file", "missing_anchor")
    ignore: tuple[IgnoredLink, ...] = ()


class ProjectSection(_Section):
    """`[[project]]`."""

    id: ProjectId
    root: NonEmpty = "."
    readme: NonEmpty | None = None
    ledger: tuple[LedgerSection, ...] = ()
    skills: SkillsSection | None = None
    code: CodeSection | None = None
    links: LinksSection | None = None


class ConfigFile(_Section):
    """All of `sot.toml`."""

    # A section that is not there is validated as an empty one: with the others, in one go.
    workspace: WorkspaceSection = Field(default_factory=dict, validate_default=True)
    schedules: SchedulesSection = Field(default_factory=dict, validate_default=True)
    search: SearchSection = Field(default_factory=dict, validate_default=True)
    notify: NotifySection = Field(default_factory=dict, validate_default=True)
    project: tuple[ProjectSection, ...] = Field(min_length=1)


def read_config(path: Path) -> ConfigFile:
    """`sot.toml` at `path`, validated. Raises ConfigError naming file, line and remedy."""
    try:
        text = _bytes_of(path).decode("utf-8-sig")
        _require_short_keys(path, text)
        data = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}).", remedy="Run 'sot init' or pass --config PATH."
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not valid UTF-8 at byte {error.start}.", remedy="Save the file as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}.", remedy="Mend the line named above.") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply.", remedy="Remove the nested brackets.") from None
    except ValueError as error:  # an integer of more digits than Python reads
        raise ConfigError(f"{path}: not usable TOML: {error}.", remedy="Mend that value.") from None
    try:
        return ConfigFile.model_validate(data)
    except ValidationError as error:
        raise ConfigError(_explain(path, text, error), remedy=_remedy(error)) from None


def _bytes_of(path: Path) -> bytes:
    """The file's bytes. A pipe would be waited for, and a device never ends."""
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path}: is no regular file.", remedy="Name a file: --config PATH.")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES // 1024} KiB.", remedy="Is this the right file?")
    return data


def _require_short_keys(path: Path, text: str) -> None:
    """A key a.b.c… of a megabyte would be read in the square of its length."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > MAX_DOTS:
            raise ConfigError(
                f"{path}:{number}: a line with more than {MAX_DOTS} dots.", remedy="Break the list into lines."
            )


def _worst(error: ValidationError) -> ErrorDetails:
    """The error to report: an unknown key before a missing one, which is often the same one misspelt."""
    found = error.errors(include_url=False, include_input=False)
    return next((detail for detail in found if detail["type"] == "extra_forbidden"), found[0])


def _explain(path: Path, text: str, error: ValidationError) -> str:
    first = _worst(error)
    where = first["loc"]
    name = ".".join(part for part in where if isinstance(part, str))
    if first["type"] == "extra_forbidden":
        return f"{path}:{_line_of(text, where)}: unknown key '{name}'."
    if where == ("project",):
        return f"{path}: no [[project]] is defined."
    # str() of the message alone: the input value may be a secret.
    return f"{path}:{_line_of(text, where)}: '{name}': {first['msg']}."


def _remedy(error: ValidationError) -> str:
    first = _worst(error)
    where = first["loc"]
    if first["type"] == "extra_forbidden":
        known = _known_keys(where[:-1])
        near = difflib.get_close_matches(str(where[-1]), known, n=1, cutoff=0.5)
        return f"Did you mean '{near[0]}'?" if near else f"Known keys here: {', '.join(sorted(known))}."
    if where == ("project",):
        return "Add a [[project]] with an id, or run 'sot init' in an empty folder to see one."
    return "See docs/configuration.md for what this key may hold."


def _known_keys(where: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = ConfigFile
    for part in where:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation)
    return list(model.model_fields)


def _model_in(annotation: object) -> type[BaseModel]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        if part is not Ellipsis and part is not type(None):
            return _model_in(part)
    raise TypeError(f"no section in {annotation!r}")


_HEADER = re.compile(r"(?P<open>\[\[?)(?P<names>[^\[\]]+)\]")
_KEY = re.compile(r"(?P<names>[^=#\[\]{}]+)=")


@dataclass(slots=True)
class _Table:
    """A table and those below it; of an array of tables, `index` counts them."""

    index: int | None = None
    below: dict[str, _Table] = field(default_factory=dict)


def _line_of(text: str, where: tuple[int | str, ...]) -> int:
    """Line of what `where` names, or of the innermost section around it that is there.

    tomllib keeps no positions, so headers and keys are read once more, line by line.
    """
    best, depth = 1, 0
    section: tuple[int | str, ...] = ()
    tables = _Table()
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if header := _HEADER.match(line):
            place = section = _section_of(_names(header), header["open"] == "[[", tables)
        elif key := _KEY.match(line):
            place = (*section, *_names(key))
        else:
            continue
        if len(place) > depth and place == where[: len(place)]:
            best, depth = number, len(place)
    return best


def _names(found: re.Match[str]) -> tuple[str, ...]:
    return tuple(name.strip().strip("\"'") for name in found["names"].split("."))


def _section_of(names: tuple[str, ...], is_array: bool, tables: _Table) -> tuple[int | str, ...]:
    """Where a header leads: its names, each array of tables followed by the index of its table."""
    place: list[int | str] = []
    table = tables
    for name in names:
        if table.index is not None:
            place.append(table.index)
        place.append(name)
        table = table.below.setdefault(name, _Table())
    if is_array:
        table.index = 0 if table.index is None else table.index + 1
        table.below.clear()
    return (*place, *(() if table.index is None else (table.index,)))
