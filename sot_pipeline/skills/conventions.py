"""What the public Agent Skills convention asks of a skill, told as warnings: real collections break it often.

The convention: https://agentskills.io/specification. Keys that it does not know are no fault here, as our own
columns and other programs have theirs; only a key that looks like a slip of the pen is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches

from sot_pipeline.plan import Problem, Severity
from sot_pipeline.skills.front_matter import Template, line_of, read_template, split, values_of
from sot_pipeline.skills.model import DOCUMENT, LIST_KEYS, NUMBER_KEYS, TEXT_KEYS
from sot_pipeline.skills.values import Value

CHECK = "skill_conventions"
MAX_NAME = 64
MAX_DESCRIPTION = 1024
MAX_COMPATIBILITY = 500

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_KNOWN = (*TEXT_KEYS, *NUMBER_KEYS, *LIST_KEYS, "license", "compatibility", "metadata")
# A link to a file in one of the three folders that the convention names.
_LINK = re.compile(r"\]\((?:\./)?((?:scripts|references|assets)/[^)\s#?]+)")
_CODE = re.compile(r"(?<!`)(`+)(?!`)[^`]+\1")
_FENCE = re.compile(r" {0,3}(```|~~~)")


def conventions(path: str, document: bytes, files: Collection[str]) -> tuple[Problem, ...]:
    """What is against the convention in the skill in folder `path`, whose files are `files`, by line.

    Raises SkillUnreadable where the document cannot be read.
    """
    parts = split(document)
    template = read_template(parts.template)
    values = values_of(template)
    found = [
        *_about_name(path, template, values.get("name")),
        *_about_length(template, "description", values.get("description", ""), MAX_DESCRIPTION),
        *_about_kinds(template, values),
        *_about_slips(template),
        *_about_links(parts.template, parts.body, files),
    ]
    if "compatibility" in values:
        found += _about_length(template, "compatibility", values["compatibility"], MAX_COMPATIBILITY)
    place = DOCUMENT if path == "." else f"{path}/{DOCUMENT}"
    return tuple(Problem(CHECK, Severity.WARNING, place, line, message) for line, message in sorted(found))


_Finding = tuple[int, str]


def _line(template: Template, key: str) -> int:
    entry = template.entries.get(key)
    return line_of(template.text, entry) if entry else 1


def _about_name(path: str, template: Template, name: Value) -> Iterator[_Finding]:
    line = _line(template, "name")
    folder = path.rsplit("/", 1)[-1]
    if not isinstance(name, str) or not name:
        yield line, f"The skill has no name: add 'name: {folder}' to its front matter."
        return
    if len(name) > MAX_NAME:
        yield line, f"The name has {len(name)} characters, {MAX_NAME} are allowed: shorten it and its folder's."
    if not _NAME.fullmatch(name):
        yield line, f"The name '{name}' may only have lowercase letters, digits and single hyphens between them."
    if folder not in (name, "."):
        yield line, f"The name '{name}' is not that of the folder '{folder}': rename one of them."


def _about_length(template: Template, key: str, value: Value, most: int) -> Iterator[_Finding]:
    line = _line(template, key)
    if not isinstance(value, str) or not value.strip():
        yield line, f"The skill has no {key}: add 1 to {most} characters of text as '{key}:'."
    elif len(value) > most:
        yield line, f"The {key} has {len(value)} characters, {most} are allowed: move details to the body."


def _about_kinds(template: Template, values: dict[str, Value]) -> Iterator[_Finding]:
    """Values that do not fit their key."""
    for key, value in values.items():
        if key in NUMBER_KEYS and (isinstance(value, bool) or not isinstance(value, int | float)):
            yield _line(template, key), f"'{key}' is no number: write one without quotes."
        elif key in LIST_KEYS and not isinstance(value, tuple):
            yield _line(template, key), f"'{key}' is no list of texts: write '[one, two]'."
        elif key == "metadata" and not isinstance(value, dict):
            yield _line(template, key), "'metadata' is no mapping: write its keys on indented lines below it."
        elif key in TEXT_KEYS and key not in ("name", "description") and not isinstance(value, str):
            yield _line(template, key), f"'{key}' is no text: write one on the line of its key."


def _about_slips(template: Template) -> Iterator[_Finding]:
    """Keys that are nearly one that is known."""
    for key in template.entries:
        near = () if key in _KNOWN else get_close_matches(key.replace("-", "_").lower(), _KNOWN, n=1, cutoff=0.85)
        if near and near[0] not in template.entries:
            yield _line(template, key), f"The key '{key}' is not known: is '{near[0]}' meant?"


def _about_links(template: bytes, body: str, files: Collection[str]) -> Iterator[_Finding]:
    """Links to files of the skill that are not there, outside of code blocks."""
    line = template.count(b"\n")
    fence = ""
    for text in body.split("\n"):
        line += 1
        mark = _FENCE.match(text)
        if mark and fence in ("", mark[1]):
            fence = "" if fence else mark[1]
        for target in () if fence else _LINK.findall(_CODE.sub("", text)):
            folder = f"{target.rstrip('/')}/"
            if target not in files and not any(name.startswith(folder) for name in files):
                yield line, f"There is no file '{target}' in the skill: add it, or mend the link."
