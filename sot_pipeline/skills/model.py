"""What a skill is, on either side: the values that files, rows and the agreed base are compared as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from sot_pipeline.plan import Json

DOCUMENT = "SKILL.md"

# What of a front matter has a column of its own in `skills`, by kind. Keys are named as their
# columns; a file may write them with "-" for "_" (`allowed-tools`).
TEXT_KEYS = ("name", "description", "version", "type", "status", "scope")
NUMBER_KEYS = ("weight", "load_priority")
# These have tables of their own (`skill_keywords` …), a row for each member, in order.
LIST_KEYS = ("keywords", "tags", "capabilities", "dependencies", "references", "allowed_tools")


@dataclass(frozen=True, slots=True)
class Fields:
    """What a front matter says, as columns hold it, by key; what is not there has no entry.

    A text is what the author wrote (`1.0` is "1.0"), a list has at least one member. A key without
    a column, or whose value does not fit it, is in `extra`.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, int | float] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class File:
    """One file of a skill. `executable` is the only part of its mode that is kept."""

    content: bytes
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Skill:
    """A whole skill as bytes: what is compared, merged and written on both sides.

    `path` is that of its folder below the skills root, with "/" (the root itself: "."); the keys of
    `files` are paths below the folder, `SKILL.md` among them.
    """

    path: str
    files: Mapping[str, File] = field(default_factory=dict)

    @property
    def document(self) -> bytes:
        """The SKILL.md."""
        return self.files[DOCUMENT].content

    @property
    def folder_hash(self) -> str:
        """SHA-256 (hex) over names, bytes and executable bits of all files, wherever the folder is."""
        return hash_of_files(
            {name: f"{sha256(file.content).hexdigest()} {file.executable:d}" for name, file in self.files.items()}
        )


def hash_of_files(digests: Mapping[str, str]) -> str:
    """`Skill.folder_hash`, from the SHA-256 of each file's bytes, a blank, and 1 where it is executable, else 0."""
    lines = [f"{digest} {name}" for name, digest in digests.items()]
    return sha256("\0".join(sorted(lines)).encode(errors="surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True)
class Move:
    """A skill on its way: from where, to where (None: it is deleted), and the hash of what it is to hold."""

    uid: str
    source: str
    target: str | None
    folder_hash: str

    @property
    def collecting(self) -> str:
        """The folder below the skills root that its files are brought into, one by one."""
        return f".sot-{self._name}.tmp"

    @property
    def collected(self) -> str:
        """The same folder once all are there; it is empty when they have arrived, and goes when that is noted."""
        return f".sot-{self._name}-whole.tmp"

    @property
    def _name(self) -> str:
        # Anybody may write a uid: it must not lead elsewhere.
        return sha256(self.uid.encode(errors="surrogatepass")).hexdigest()[:32]
