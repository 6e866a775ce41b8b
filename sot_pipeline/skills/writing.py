"""Values as YAML text: scalars in each style, and the style that fits a value best.

What is written here is a proposal: `edit.py` reads it back before it believes it. So a rule here is for
looks, or for programs that read YAML differently, and none has to be complete.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from sot_pipeline.plan import Json
from sot_pipeline.skills.values import Value, resolved

# Texts that YAML 1.1 takes for something else: other programs than ours will read them.
_MISREAD = re.compile(
    r"[yYnN]|[yY]es|YES|[nN]o|NO|[oO]n|ON|[oO]ff|OFF|=|<<|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    r"|\d{4}-\d\d?-\d\d?(?:[Tt ].*)?|[-+]?[0-9][0-9_,:.]*|[-+]?0[xb][0-9a-fA-F_]+"
)
# What certainly reads back as it is, inside brackets as well.
_SIMPLE = re.compile(r"[\w.(/][\w./()*+@-]*(?: [\w./()*+@-]+)*")
# Characters that JSON leaves alone and YAML takes for line breaks or refuses.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def is_misread(text: str) -> bool:
    """True where `text` without quotes is something else than a text, here or for YAML 1.1."""
    return not text or not isinstance(resolved(text), str) or _MISREAD.fullmatch(text) is not None


def double_quoted(text: str) -> str:
    """`text` in double quotes, on one line; every text can be written so."""
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def in_flow(value: Value) -> str:
    """`value` on one line, fit for inside brackets."""
    if isinstance(value, str):
        return value if _SIMPLE.fullmatch(value) and not is_misread(value) else double_quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{in_flow(key)}: {in_flow(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(in_flow, value)) + "]"
    return _number(value)


def _number(value: float | bool | None) -> str:
    # A column of floating-point numbers gives 7.0 for the 7 that somebody set.
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return json.dumps(value)


def on_one_line(text: str) -> Iterator[str]:
    """`text` as a value behind its key, simplest style first; `edit.py` takes the first that reads back."""
    if not is_misread(text) and "\n" not in text:
        yield text
        if ("\\" in text or '"' in text) and "'" not in text:
            yield f"'{text}'"
    yield double_quoted(text)


def as_block(text: str, style: str, indent: str, line_break: str, width: int = 0) -> str:
    """`text` as a block scalar, without the line break at its end.

    `style` is "|" or ">" with whatever stood behind it on its line; a folded one is broken at `width`.
    """
    lines = text.removesuffix("\n").split("\n")
    if style[0] == ">":
        lines = _folded(lines, width)
    chomping = "" if text.endswith("\n") else "-"
    indented = [indent + line if line else "" for line in lines]
    return line_break.join([style[0] + chomping + style[1:], *indented])


def _folded(lines: list[str], width: int) -> list[str]:
    """Lines that fold into `lines`: a line break is an empty line, long lines are broken at single spaces."""
    found: list[str] = []
    for number, line in enumerate(lines):
        if number:
            found.append("")
        if line:
            found.extend(_broken(line, width))
    return found


def _broken(line: str, width: int) -> Iterator[str]:
    words = re.split(r"(?<=\S) (?=\S)", line)
    row = words[0]
    for word in words[1:]:
        if len(row) + 1 + len(word) > width:
            yield row
            row = word
        else:
            row += " " + word
    yield row


def entry_lines(name: str, value: Value, indent: str, line_break: str) -> Iterator[str]:
    """The lines of a new key with its value, in the ways worth trying, best first."""
    key = indent + in_flow(name) + ":"
    if isinstance(value, Mapping) and value:
        yield line_break.join([key, *_block_lines(value, indent + "  ")]) + line_break
    if not isinstance(value, str):
        yield f"{key} {in_flow(value)}{line_break}"
        return
    if "\n" in value:
        yield f"{key} {as_block(value, '|', indent + '  ', line_break)}{line_break}"
    for source in on_one_line(value):
        yield f"{key} {source}{line_break}"


def _block_lines(value: Mapping[str, Json], indent: str) -> Iterator[str]:
    for name, member in value.items():
        if isinstance(member, dict) and member:
            yield f"{indent}{in_flow(name)}:"
            yield from _block_lines(member, indent + "  ")
        else:
            yield f"{indent}{in_flow(name)}: {in_flow(member)}"
