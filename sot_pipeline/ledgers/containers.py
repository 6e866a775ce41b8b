"""Whether a line stands in a list item or a block quote, and whether it could continue a paragraph.

CommonMark's container rules (sections 5.1 and 5.2) for a stretch of text without top-level headings,
fences and HTML blocks. `scan.py` asks only for the few lines whose first mark is indented or that
hold a lone tag; the lines between two questions are followed once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from sot_pipeline.ledgers.marks import (
    BLANK_LINE,
    FENCE,
    HEADING,
    SETEXT_UNDERLINE,
    THEMATIC_BREAK,
    closing_fence,
    html_end,
)

_MARKER = re.compile(rb"([-+*]|([0-9]{1,9})[.)])(?= |\Z)")
_CODE_INDENT = 4
# What nests deeper is read as text: nobody writes it, and every line is compared with all that are open.
_DEEPEST = 64


@dataclass(slots=True)
class _Container:
    """A block quote (`width` 0) or a list item whose text begins `width` columns to the right."""

    width: int
    empty: bool = False


class Context(NamedTuple):
    """Of a line: whether it stands in no container, and whether a paragraph is open above it."""

    at_top: bool
    in_paragraph: bool


class Containers:
    """The containers open at a line of `data`; begins at the line start `start` with none."""

    def __init__(self, data: bytes, start: int) -> None:
        self._data = data
        self._line = start
        self._open: list[_Container] = []
        self._paragraph = False
        # What ends the fence or HTML block that is open in the innermost container.
        self._until: re.Pattern[bytes] | None = None

    def context(self, line: int) -> Context:
        """The context of the line that starts at `line`; lines are asked for in rising order."""
        while self._line < line:
            end = self._data.find(b"\n", self._line)
            end = len(self._data) if end < 0 else end
            self._follow(self._data[self._line : end].expandtabs(4))
            self._line = end + 1
        end = self._data.find(b"\n", line)
        text = self._data[line : len(self._data) if end < 0 else end].expandtabs(4)
        return Context(self._matched(text)[0] == 0, self._paragraph)

    def _matched(self, text: bytes) -> tuple[int, bytes]:
        """How many of the open containers a line belongs to, and the line without their marks."""
        for depth, container in enumerate(self._open):
            stripped = text.lstrip(b" ")
            indent = len(text) - len(stripped)
            if container.width == 0:
                if indent >= _CODE_INDENT or not stripped.startswith(b">"):
                    return depth, text
                text = _without_quote(stripped)
            elif not stripped:
                if container.empty:
                    return depth, text
            elif indent >= container.width:
                text = text[container.width :]
            else:
                return depth, text
        return len(self._open), text

    def _follow(self, text: bytes) -> None:
        depth, rest = self._matched(text)
        inside = depth == len(self._open)
        if inside and self._until:
            if self._until.search(b"\n" + rest):
                self._until = None
            return
        if not rest.strip(b" "):
            self._close(depth)
            return
        if not inside:
            self._until = None
        self._begin(depth, rest, continues=inside and self._paragraph)

    def _close(self, depth: int) -> None:
        """Close every container deeper than `depth`, and the leaf."""
        del self._open[depth:]
        self._paragraph = False
        self._until = None

    def _begin(self, depth: int, rest: bytes, *, continues: bool) -> None:
        """Open the blocks that begin in `rest`; `continues` where it could go on with a paragraph."""
        while True:
            text = rest.lstrip(b" ")
            indent = len(rest) - len(text)
            closed = indent >= _CODE_INDENT or depth == _DEEPEST
            container = None if closed else self._container(text, indent, continues=continues)
            if container is None:
                break
            self._close(depth)
            opened, rest = container
            self._fill()
            self._open.append(opened)
            depth, continues = len(self._open), False
            if not rest.strip(b" "):
                return
        self._leaf(depth, text, indent, continues=continues)

    def _container(self, text: bytes, indent: int, *, continues: bool) -> tuple[_Container, bytes] | None:
        if text.startswith(b">"):
            return _Container(0), _without_quote(text)
        if (continues and SETEXT_UNDERLINE.match(text)) or THEMATIC_BREAK.match(text):
            return None
        marker = _MARKER.match(text)
        if marker is None:
            return None
        after = text[marker.end() :]
        said = after.lstrip(b" ")
        if continues and (not said or (marker[2] and int(marker[2]) != 1)):
            return None  # an empty item or one that counts from elsewhere does not end a paragraph
        blanks = len(after) - len(said)
        # More than four blanks after the marker: the item begins with indented code.
        padding = blanks if said and blanks <= _CODE_INDENT else 1
        return _Container(indent + marker.end() + padding, empty=not said), after[padding:]

    def _leaf(self, depth: int, text: bytes, indent: int, *, continues: bool) -> None:
        if indent >= _CODE_INDENT:
            if not self._paragraph:
                self._close(depth)
                self._fill()
            return
        ends, until = self._ending(text, continues=continues)
        if not ends and self._paragraph:
            return  # goes on with the paragraph, be it in a container that this line does not mark
        self._close(depth)
        self._fill()
        self._paragraph = not ends
        self._until = until

    def _ending(self, text: bytes, *, continues: bool) -> tuple[bool, re.Pattern[bytes] | None]:
        """Whether `text` begins a block that is no paragraph, and what ends that block if not the line."""
        if HEADING.match(text) or THEMATIC_BREAK.match(text) or (continues and SETEXT_UNDERLINE.match(text)):
            return True, None
        if fence := FENCE.match(text):
            return True, closing_fence(fence[0][:1], len(fence[0]))
        end = html_end(text, 0, len(text), in_paragraph=self._paragraph)
        if end is None:
            return False, None
        return True, None if end is not BLANK_LINE and end.search(text) else end

    def _fill(self) -> None:
        for container in self._open:
            container.empty = False


def _without_quote(text: bytes) -> bytes:
    return text[2:] if text.startswith(b"> ") else text[1:]
