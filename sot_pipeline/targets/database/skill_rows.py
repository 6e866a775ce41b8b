"""How a skill becomes rows of `skills`, its lists and `skill_files`, and how rows become a skill. No SQL is run here.

Anybody may write these rows, and SQLite keeps values of any type: what cannot be used is said in
`StoredSkill.problem` and never an error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import cast

from sot_pipeline.plan import Json
from sot_pipeline.skills.model import DOCUMENT, LIST_KEYS, NUMBER_KEYS, TEXT_KEYS, Fields, File
from sot_pipeline.targets.database.engine import Row, Target, Value
from sot_pipeline.targets.database.skill_model import StoredSkill

_KEY = ("project_id", "uid")
LISTS: Mapping[str, str] = {key: f"skill_{key}" for key in LIST_KEYS}
MEMBER_COLUMNS = (*_KEY, "position", "value")
SKILLS = Target(
    "skills",
    (*_KEY, "skill_path", *TEXT_KEYS, *NUMBER_KEYS, "body", "front_matter", "extra", "executable"),
    _KEY,
)
FILES = Target("skill_files", (*_KEY, "path", "content", "sha256", "size", "mode"), (*_KEY, "path"))

PLAIN, EXECUTABLE = 0o644, 0o755
# An integer up to here is a number of its own in a column of doubles.
_EXACT = 2**53
# PostgreSQL's indexes take no key above 2,704 bytes, of which project and uid need some.
_LONGEST_PATH = 2000


def mode_of(file: File) -> int:
    """What a column `mode` holds."""
    return EXECUTABLE if file.executable else PLAIN


# Writing


def unstorable(skill: StoredSkill) -> str | None:
    """What of a skill neither database can hold, None where all is well."""
    for path in (skill.path, *skill.files):
        if not path or len(path.encode(errors="surrogatepass")) > _LONGEST_PATH:
            return f"The path {path[:60]!r} is empty or longer than {_LONGEST_PATH} bytes."
    for place, text in _texts(skill):
        if flaw := _flaw(text):
            return f"{place} {flaw}."
    if not all(math.isfinite(number) for number in skill.fields.numbers.values() if isinstance(number, float)):
        return "A number is not finite."
    try:
        json.dumps(_extra(skill.fields), allow_nan=False)
    except ValueError:
        return "The keys without a column hold a number that JSON has no way to write."
    return None


def _flaw(text: str) -> str | None:
    if "\0" in text:
        return "holds a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds a lone surrogate, which is no character and has no UTF-8"
    return None


def _texts(skill: StoredSkill) -> Iterator[tuple[str, str]]:
    """Everything that becomes text, and what to call it."""
    yield "The uid", skill.uid
    yield "The body", skill.body
    for path in (skill.path, *skill.files):
        yield f"The path {path!r}", path
    for key, text in skill.fields.texts.items():
        yield f"'{key}'", text
    for key, members in skill.fields.lists.items():
        yield from ((f"A member of '{key}'", member) for member in members)
    for key, value in skill.fields.extra.items():
        yield from ((f"'{key}'", text) for text in (key, *_texts_in(value)))


def _texts_in(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts_in(inner)


def skill_values(project_id: str, skill: StoredSkill) -> tuple[Value, ...]:
    """The parameters of a row of `skills`."""
    texts, numbers = skill.fields.texts, skill.fields.numbers
    extra = _extra(skill.fields)
    return (
        *(project_id, skill.uid, skill.path),
        *(texts.get(key) for key in TEXT_KEYS),
        *(numbers[key] if key in numbers and _fits(numbers[key]) else None for key in NUMBER_KEYS),
        *(skill.body, skill.template),
        # In the author's order.
        json.dumps(extra, ensure_ascii=False) if extra else None,
        skill.executable,
    )


def _fits(number: int | float) -> bool:
    return isinstance(number, float) or abs(number) <= _EXACT


def _extra(fields: Fields) -> dict[str, Json]:
    """`extra` and the numbers that a column would round: a number under such a key can mean nothing else there."""
    return {**fields.extra, **{key: number for key, number in fields.numbers.items() if not _fits(number)}}


def member_values(project_id: str, key: str, skill: StoredSkill) -> list[tuple[Value, ...]]:
    """The parameters of the rows of one list."""
    members = skill.fields.lists.get(key, ())
    return [(project_id, skill.uid, position, member) for position, member in enumerate(members)]


def file_values(project_id: str, uid: str, path: str, file: File) -> tuple[Value, ...]:
    """The parameters of a row of `skill_files`."""
    return (project_id, uid, path, file.content, sha256(file.content).hexdigest(), len(file.content), mode_of(file))


# Reading

# JSON as text: decoding it is what can go wrong.
READ_COLUMNS = (
    "uid, row_version, skill_path, "
    f"{', '.join((*TEXT_KEYS, *NUMBER_KEYS))}, body, front_matter, CAST(extra AS TEXT), executable"
)


def stored_skill(row: Row, members: Mapping[str, Sequence[object]], files: Sequence[Row]) -> StoredSkill:
    """The skill of a row of `READ_COLUMNS`, the members of its lists by key, and rows of path, content and mode."""
    reading = _Reading()
    columns = iter(row)
    uid, version, path = (next(columns) for _ in range(3))
    texts = {key: text for key in TEXT_KEYS if (text := reading.text(key, next(columns))) is not None}
    numbers = {key: number for key in NUMBER_KEYS if (number := reading.number(key, next(columns))) is not None}
    body, template, extra, executable = columns
    lists = {
        key: tuple(reading.required(f"skill_{key}.value", each) for each in found) for key, found in members.items()
    }
    beyond = reading.json_object("extra", extra)
    rounded = {key: cast("int | float", beyond.pop(key)) for key in NUMBER_KEYS if _is_number(beyond.get(key))}
    return StoredSkill(
        reading.required("uid", uid),
        reading.path("skill_path", path),
        Fields(texts, rounded | numbers, lists, beyond),
        reading.data("front_matter", template) or b"",
        reading.text("body", body) or "",
        reading.files(files),
        bool(reading.integer("executable", executable, 0)),
        version_of(version),
        "; ".join(reading.problems) or None,
    )


def version_of(found: object) -> int:
    """A row version as the database gave it; -1, which no base has, for what is none."""
    return found if isinstance(found, int) else -1


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class _Reading:
    """Takes values of columns for what they should be; of those that are not, `problems` tells."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def wrong(self, column: str, why: str) -> None:
        self.problems.append(f"{column} {why}")

    def text(self, column: str, found: object) -> str | None:
        if found is None:
            return None
        if not isinstance(found, str):
            self.wrong(column, f"is no text but {type(found).__name__}")
            return str(found)
        if flaw := _flaw(found):
            self.wrong(column, flaw)
        return found

    def required(self, column: str, found: object) -> str:
        if found is None:
            self.wrong(column, "is null")
        return self.text(column, found) or ""

    def path(self, column: str, found: object) -> str:
        text = self.required(column, found)
        if found == "":
            self.wrong(column, "is empty")
        return text

    def number(self, column: str, found: object) -> int | float | None:
        if found is None:
            return None
        if not isinstance(found, int | float) or not math.isfinite(found):
            self.wrong(column, f"is no finite number: {found!r:.60}")
            return None
        # What comes from a column of doubles was mostly written without a fraction.
        return int(found) if float(found).is_integer() and abs(found) <= _EXACT else found

    def integer(self, column: str, found: object, absent: int) -> int:
        if not isinstance(found, int | None):
            self.wrong(column, f"is no integer: {found!r:.60}")
        return found if isinstance(found, int) else absent

    def data(self, column: str, found: object) -> bytes | None:
        """Bytes; SQLite also has what was written as text."""
        if isinstance(found, bytes | None):
            return found
        return (self.text(column, found) or "").encode(errors="surrogateescape")

    def json_object(self, column: str, found: object) -> dict[str, Json]:
        if found is None:
            return {}
        try:
            value: Json = json.loads(cast("str", found))
        except (ValueError, TypeError, RecursionError):
            value = None
        if isinstance(value, dict):
            return value
        self.wrong(column, "is no JSON object")
        return {}

    def files(self, rows: Sequence[Row]) -> dict[str, File]:
        found: dict[str, File] = {}
        for path, content, mode in rows:
            name = self.path("skill_files.path", path)
            if content is None:
                self.wrong(f"skill_files.content of {name!r}", "is null")
            if name == DOCUMENT:
                self.wrong("skill_files", f"has a {DOCUMENT}, which front_matter and body are")
            data = self.data(f"skill_files.content of {name!r}", content) or b""
            bits = self.integer(f"skill_files.mode of {name!r}", mode, PLAIN)
            found[name] = File(data, executable=bool(bits & 0o111))
        return found
