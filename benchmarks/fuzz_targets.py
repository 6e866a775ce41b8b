"""What each fuzzed parser has to keep its word about, for any bytes.

A target takes bytes and raises where a promise is broken: AssertionError for a wrong result, and
whatever the parser itself raises beside its own error. Seeds and words lead the fuzzer past what
is refused at once. How they are run is `fuzz.py`.
"""

from __future__ import annotations

import json
import re
import struct
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from sot_pipeline.embedding.answer import vectors_of
from sot_pipeline.errors import ConfigError, EditRefused, EmbeddingFailed, ReadmeMarkersError, SkillUnreadable
from sot_pipeline.ledgers.model import ParsedLedger
from sot_pipeline.ledgers.parse import BOM, NotText, normalized, parse_ledger
from sot_pipeline.ledgers.refresh import refreshed
from sot_pipeline.plan import hash_record
from sot_pipeline.skills.edit import render
from sot_pipeline.skills.front_matter import fields_of, split
from sot_pipeline.targets.chunks import chunk_text, utf8_size
from sot_pipeline.targets.readme import END, START, current_summary, with_markers, with_summary
from sot_pipeline.workspace import LedgerSpec, load_workspace

SPEC = LedgerSpec("build_history", "docs/BUILD_HISTORY.md", "BUILD")
NOW = datetime(2026, 1, 1)
# Where a target needs more than one text: what stands before the first such byte is the other one.
SEPARATOR = b"\0"


@dataclass(frozen=True, slots=True)
class Target:
    """A function to try, with inputs to begin with and words to put into others."""

    run: Callable[[bytes], None]
    seeds: Sequence[bytes] = ()
    words: Sequence[bytes] = ()


def ledger(data: bytes) -> None:
    """Any bytes are a ledger or NotText; records are whole, lines are the file's, line ends mean nothing."""
    try:
        parsed = parse_ledger(data, SPEC, "demo")
    except NotText:
        assert not is_text(data)
        return
    assert is_text(data)
    require_whole_records(parsed)
    plain = normalized(data)
    last = plain.count(b"\n") + 1
    assert parsed.lines.keys() == {record.key.entry_id for record in parsed.records}
    assert all(1 <= line <= last for line in parsed.lines.values())
    assert all(problem.line is None or 1 <= problem.line <= last for problem in parsed.problems)
    for end in (b"\n", b"\r\n", b"\r"):
        # One mark is no part of the text; a second one is.
        other = parse_ledger(BOM + plain.replace(b"\n", end), SPEC, "demo")
        assert (other.records, other.lines, other.problems) == (parsed.records, parsed.lines, parsed.problems)
    refresh(data, parsed)


def is_text(data: bytes) -> bool:
    with suppress(UnicodeDecodeError):
        data.decode()
        return b"\0" not in data
    return False


def require_whole_records(parsed: ParsedLedger) -> None:
    keys = [record.key for record in parsed.records]
    assert len(keys) == len(set(keys))
    for record in parsed.records:
        metadata = json.loads(json.dumps(record.metadata))
        assert record.content_hash == hash_record(record.key, record.title, record.content, metadata, record.created_at)
        assert record.title
        # Rows and points hold UTF-8 without NUL.
        assert is_text(f"{record.title}{record.content}{json.dumps(metadata, ensure_ascii=False)}".encode())


def refresh(data: bytes, parsed: ParsedLedger) -> None:
    """Making META true changes no entry and no number of lines, and is done once."""
    once = refreshed(data, parsed.truth, NOW)
    again = parse_ledger(once, SPEC, "demo")
    assert (again.records, again.lines, again.truth) == (parsed.records, parsed.lines, parsed.truth)
    assert refreshed(once, again.truth, datetime(2027, 1, 1)) == once


def chunks(data: bytes) -> None:
    """No character but white space is lost or moved, and no chunk is larger than allowed."""
    soft, hard, text = data[:1], data[1:2], data[2:].decode("utf-8", "replace")
    limit = ord(hard) or None if hard else None
    for measure in (len, utf8_size):
        cut = chunk_text(text, soft_chars=ord(soft or b"\1") or 1, hard_chars=limit, measure=measure)
        assert cut
        assert without_white("".join(cut)) == without_white(text)
        assert limit is None or all(measure(chunk) <= limit or len(chunk) == 1 for chunk in cut)


def without_white(text: str) -> str:
    return "".join(text.split())


def config(data: bytes) -> None:
    """Any file is a workspace or a ConfigError that says what to do; a line it names is one of the file."""
    path = _folder() / "sot.toml"
    path.write_bytes(data)
    try:
        load_workspace(path, env={})
    except ConfigError as error:
        assert error.message and error.remedy
        named = re.match(rf"{re.escape(str(path))}:(\d+):", error.message)
        assert named is None or 1 <= int(named[1]) <= data.count(b"\n") + 1


_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []


def _folder() -> Path:
    """One folder for all files of this process, gone with it."""
    if not _FOLDERS:
        _FOLDERS.append(tempfile.TemporaryDirectory(prefix="sot-fuzz-"))
    return Path(_FOLDERS[0].name)


def readme(data: bytes) -> None:
    """Bytes outside the markers stay; what was written is read back, and written once."""
    said, _, before = data.partition(SEPARATOR)
    with suppress(ReadmeMarkersError):
        marked = with_markers(before)
        assert with_markers(marked) == marked
        assert current_summary(marked) == "" or marked == before
        require_inserted(before, marked)
    summary = said.decode("utf-8", "replace")
    with suppress(ReadmeMarkersError):
        written = with_summary(before, summary)
        require_kept_outside(before, written)
        assert current_summary(written) == re.sub(r"\r\n?", "\n", summary).strip("\n")
        assert with_summary(written, summary) == written


def require_inserted(before: bytes, after: bytes) -> None:
    """`after` is `before` with some bytes put in at one place."""
    more = len(after) - len(before)
    assert any(before[:at] == after[:at] and before[at:] == after[at + more :] for at in range(len(before) + 1))


def require_kept_outside(before: bytes, after: bytes) -> None:
    """`after` is `before` but for the bytes between one of its start markers and an end marker."""
    starts = [found.end() for found in re.finditer(re.escape(START), before)]
    ends = [found.start() for found in re.finditer(re.escape(END), before)]
    assert any(
        start <= end
        and len(after) >= start + len(before) - end
        and after.startswith(before[:start])
        and after.endswith(before[end:])
        for start in starts
        for end in ends
    )


def skill(data: bytes) -> None:
    """Any bytes are a skill or SkillUnreadable; an untouched row is the document, an edited one says the edit."""
    try:
        parts = split(data)
    except SkillUnreadable as refused:
        assert refused.line >= 1
        return
    assert parts.template + parts.body.encode() == data
    fields = fields_of(parts.template)
    assert render(parts.template, fields, parts.body) == data
    edited = replace(fields, texts={**fields.texts, "name": "a: b"}, lists={**fields.lists, "tags": ("x", "#y")})
    with suppress(EditRefused):
        assert fields_of(split(render(parts.template, edited, parts.body)).template) == edited


def answer(data: bytes) -> None:
    """Any answer is as many directions as texts, or EmbeddingFailed."""
    count, dimension, body = data[:1], data[1:2], data[2:]
    texts, length = ord(count or b"\0") % 4 + 1, ord(dimension or b"\0") % 4 or None
    for said in (body, answer_of(body, texts, length or 2)):
        with suppress(EmbeddingFailed):
            vectors = vectors_of(said, count=texts, dimension=length, server="server")
            assert vectors.shape[0] == texts
            assert length is None or vectors.shape[1] == length
            assert vectors.dtype == np.float32
            assert np.allclose(np.linalg.norm(vectors.astype(np.float64), axis=1), 1.0, atol=1e-5), vectors


def answer_of(data: bytes, texts: int, length: int) -> bytes:
    """An answer of the right shape made of any bits: few inputs are JSON, and its scanner (in C) shows no coverage."""
    bits = data.ljust(8 * texts * length, b"\1")
    numbers = struct.unpack_from(f"<{texts * length}d", bits)
    rows = [numbers[at : at + length] for at in range(0, len(numbers), length)]
    return json.dumps({"data": [{"index": at, "embedding": row} for at, row in enumerate(rows)]}).encode()


LEDGER = b"""\xef\xbb\xbf# Build History

<!-- META
Last_Updated: 2026-01-01T00:00:00Z
Total_Builds: 7
-->
<!-- AUTO-GENERATED SUMMARY - DO NOT EDIT MANUALLY -->
**Summary**: 4 build entries (3 unique builds) documented | Last updated: 2026-01-01 00:00:00
<!-- END AUTO-GENERATED SUMMARY -->

## INDEX
| Timestamp | BUILD-ID | Phase | Summary | Files Changed |
|---|---|---|---|---|
| 2026-01-01 | BUILD-1 | Work | Summary `a|b` | 1 | | 2026-01-02 | BUILD-2 | Work | [x](y) | 2 |

## BUILDS

### BUILD-1 | 2026-01-01 | Work | Title \xe2\x9c\x85
**Status**: complete

```
### BUILD-9 | 2026-01-01 | Work | in a fence
```
- ## BUILD-3.1: in a list
tail| 2026-01-01 | BUILD-4 | Work | Summary | 1 |
"""
CONFIG = b"""[workspace]
database_url = "sqlite:///sot.db"
embedding = "openai:m"
[schedules]
timezone = "UTC"
[[project]]
id = "demo"
root = "."
readme = "README.md"
[[project.ledger]]
file_type = "build_history"
prefix = "BUILD"
[project.links]
ignore = [{source = "a", target = "b"}]
"""
README = b"- one\r\n- two\0\xef\xbb\xbf# T\r\n\n" + START + b"\r\nold\r\n" + END + b"\n```\n" + START + b"\n```\n"
ANSWER = b'\1\2{"data": [{"index": 1, "embedding": [0.5, -1e3]}, {"index": 0, "embedding": [1, 2]}]}'
MARKDOWN = (
    b"\x10\x20# One\n\n- a\n  - b\n\n> c\n\n```py\nd = 1\n```\n\n| e | f |\n|---|---|\n\n1. g\n\n"
    b"## Two\nh\n<!-- i\n-->\n"
)

# One word a line; a "$" stands for the end of a line within a word.
LEDGER_WORDS = b"""### BUILD-1 |
## BUILD-2:
BUILD-1.1
| 2026-01-01 | BUILD-1 |
$## INDEX$
$## BUILDS$
<!-- META$
-->
$Total_Builds: 1$
<!-- AUTO-GENERATED SUMMARY -->
1 unique builds
**Status**:
$```$
~~~
|---|
\r
\xef\xbb\xbf
\xe2\x80\xa8
\xe2\x9c\x85
(complete)"""
MARKDOWN_WORDS = b"""$```$
$~~~$
$#
$-
$>
$1.
<!--
-->
$[a]: b
$$
$    a"""
CONFIG_WORDS = b"""$[[project]]$
$[[project.ledger]]$
$[project.skills]$
$[project.code]$
$[project.links]$
$[notify]$
$[search]$
$[schedules]$
id =
root =
path =
readme =
file_type =
prefix =
qdrant =
include = ["a"]
ignore = [
semantic_weight =
webhook_url =
'''
1e400
nan
1979-05-27T07:32:00Z
http://
postgresql://u:p@h/d
../
\\u0000"""
README_WORDS = (
    START
    + b"\n"
    + END
    + b"""
<!--
-->
$```$
~~~
`
$    a
$> a
$# a$
\r"""
)
ANSWER_WORDS = b"""{"data": [
{"index": 0, "embedding": [
"index": 0
"embedding": [
NaN
Infinity
1e-200
1e308
true
]}, {"""

SKILL = b"""---
name: x # c
description: >-
  a
  b
tags:
- a
- 'b'
keywords: [k, "l"]
allowed-tools: A(b c) D
metadata: {a: 1, b: {c: d}}
---
# Title
"""
SKILL_WORDS = b"""---
|
>+
- $
? $
: $
{}
[]
&a$
*a
!!str$
\xef\xbb\xbf
\xe2\x80\xa8
\r
# c
null"""


def words(lines: bytes) -> Sequence[bytes]:
    return [line.replace(b"$", b"\n") for line in lines.split(b"\n")]


TARGETS = {
    "ledger": Target(ledger, (LEDGER, b"### BUILD-1 | 2026-01-01 | Work | Title\n"), words(LEDGER_WORDS)),
    "chunks": Target(chunks, (MARKDOWN,), words(MARKDOWN_WORDS)),
    "config": Target(config, (CONFIG, b"[[project]]\nid = 'a'\n"), words(CONFIG_WORDS)),
    "readme": Target(readme, (README, b"\0# T\n"), words(README_WORDS)),
    "skill": Target(skill, (SKILL, b"---\n{}\n---\n"), words(SKILL_WORDS)),
    "answer": Target(answer, (ANSWER, b'\0\0{"data": [{"index": 0, "embedding": [1]}]}'), words(ANSWER_WORDS)),
}
