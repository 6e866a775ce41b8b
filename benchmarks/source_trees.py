"""Folders of source files to index: Python's standard library as it is, and as many files as one wants.

Nothing here is measured.
"""

from __future__ import annotations

import itertools
import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from sot_pipeline.code.files import source_files

FOREIGN = ("site-packages", "dist-packages", "__pycache__")
# What people write by hand: the files above it are test data and tables, and most bytes of the library.
LARGEST_COPIED = 32 * 1024


def copy_library(folder: Path) -> Path:
    """The standard library of this Python, without what was installed beside it, copied to `folder`."""
    shutil.copytree(sysconfig.get_path("stdlib"), folder, ignore=shutil.ignore_patterns(*FOREIGN))
    return folder


def make_tree(folder: Path, library: Path, count: int) -> Path:
    """`count` files in `folder`: whole copies of the library's smaller Python files, the last one cut off.

    A number at its end makes each file another one, so that nothing is recognised as moved or unchanged.
    """
    for number, (part, source) in enumerate(itertools.islice(_again_and_again(library), count)):
        file = folder / f"copy_{part}" / source.relative_to(library)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(source.read_bytes() + f"\n# {number}\n".encode())
    return folder


def _again_and_again(library: Path) -> Iterator[tuple[int, Path]]:
    found = source_files(library).files.values()
    small = [file for file in found if file.suffix == ".py" and file.stat().st_size <= LARGEST_COPIED]
    return ((part, file) for part in itertools.count() for file in small)
