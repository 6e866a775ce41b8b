"""Which share of a file's lines the tests ran, from a report that a test run left: LCOV, or Cobertura's XML.

A report that is older than the source says nothing about it. Nothing is run here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from posixpath import normpath
from xml.parsers import expat

# Where test runners leave their reports.
USUAL = ("coverage.xml", "lcov.info", "coverage/lcov.info", "coverage/cobertura-coverage.xml", "cover/lcov.info")
MAX_BYTES = 256 * 1024 * 1024

# A file's lines and how often each was run, by the name that the report gives it.
_Hits = dict[str, dict[int, int]]


@dataclass(frozen=True, slots=True)
class Report:
    """A report: its format, when it was written (seconds since 1970), and each file's share of lines run, 0–1.

    A share is None for a file with no line that could be run.
    """

    format: str
    written: float
    shares: Mapping[str, float | None]


def find_report(root: Path) -> Path | None:
    """The newest report in the usual places below `root`, None without one."""
    found = [root / name for name in USUAL if (root / name).is_file()]
    return max(found, key=lambda file: file.stat().st_mtime, default=None)


def read_report(file: Path, root: Path, paths: Iterable[str]) -> Report | str:
    """The report in `file` about `paths` (relative to `root`); or the reason why it cannot be read."""
    try:
        written = file.stat().st_mtime
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return f"{file.name} cannot be read: {error.strerror}"
    if len(data) > MAX_BYTES:
        return f"{file.name} is larger than {MAX_BYTES // 2**20} MiB"
    is_xml = data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    try:
        hits = _cobertura(data) if is_xml else _lcov(data)
    except (expat.ExpatError, ValueError) as error:
        return f"{file.name} cannot be read: {error}"
    return Report("cobertura" if is_xml else "lcov", written, _shares(hits, root, set(paths)))


def _shares(hits: _Hits, root: Path, paths: set[str]) -> dict[str, float | None]:
    merged: _Hits = defaultdict(dict)
    for name, lines in hits.items():
        path = _path(name, root, paths)
        if path is not None:
            for line, count in lines.items():
                merged[path][line] = merged[path].get(line, 0) + count
            merged[path] = merged[path]
    return {
        path: sum(count > 0 for count in lines.values()) / len(lines) if lines else None
        for path, lines in merged.items()
    }


def _path(name: str, root: Path, paths: set[str]) -> str | None:
    """The project's file that a report means: by its whole path, or by an end of it that only one file has."""
    plain = normpath(name.replace("\\", "/"))
    for start in (root.as_posix(), root.resolve().as_posix()):
        plain = plain.removeprefix(f"{start}/")
    parts = plain.lstrip("/").split("/")
    for skipped in range(len(parts)):
        path = "/".join(parts[skipped:])
        if path in paths:
            return path
    ending = [path for path in paths if path.endswith(f"/{plain}")]
    return ending[0] if len(ending) == 1 else None


def _lcov(data: bytes) -> _Hits:
    """The `SF:`, `DA:line,count` and `end_of_record` lines of geninfo(1). Raises ValueError where there is none."""
    hits: _Hits = {}
    lines: dict[int, int] = {}
    for row in data.decode(errors="replace").splitlines():
        word, _, value = row.partition(":")
        if word == "SF":
            lines = hits.setdefault(value.strip(), {})
        elif word == "DA":
            line, count, *_ = value.split(",")
            lines[int(line)] = lines.get(int(line), 0) + int(count)
    if not hits:
        raise ValueError("it is neither LCOV nor XML")
    return hits


def _cobertura(data: bytes) -> _Hits:
    """`class` elements with a `filename` and `line` elements with `number` and `hits`.

    Raises ValueError for a document with entities of its own, which no coverage tool writes and
    which can be made to expand without end; expat's errors for what is not XML.
    """
    reader = _Cobertura()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.EntityDeclHandler = reader.entity
    parser.Parse(data, True)
    return reader.hits()


class _Cobertura:
    def __init__(self) -> None:
        self._files: _Hits = {}
        self._sources: list[str] = []
        self._lines: dict[int, int] | None = None
        self._is_source = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "class" and "filename" in attributes:
            self._lines = self._files.setdefault(attributes["filename"], {})
        elif name == "line" and self._lines is not None:
            number = int(attributes.get("number", "0"))
            self._lines[number] = max(self._lines.get(number, 0), int(attributes.get("hits", "0")))
        self._is_source = name == "source"

    def end(self, name: str) -> None:
        if name == "class":
            self._lines = None
        self._is_source = False

    def text(self, text: str) -> None:
        if self._is_source and text.strip():
            self._sources.append(text.strip())

    def entity(self, *_: object) -> None:
        raise ValueError("it declares entities")

    def hits(self) -> _Hits:
        """Names with their source folder, where there is one only."""
        if len(self._sources) != 1:
            return self._files
        return {f"{self._sources[0]}/{name}": lines for name, lines in self._files.items()}
