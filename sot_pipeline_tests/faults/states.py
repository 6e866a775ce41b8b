"""What the targets of a workspace hold, as values that can be compared, and edits that change them."""

from __future__ import annotations

from dataclasses import dataclass

from sot_pipeline.embedding import open_embedder
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.vectors import open_store
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline_tests.workspaces import BUILDS, SECONDS, Kiln


@dataclass(frozen=True)
class State:
    """Rows as a digest, points by key with their fingerprints computed anew, the README's bytes."""

    rows: str
    points: dict[str, str]
    readme: bytes


def state_of(kiln: Kiln) -> State:
    with kiln.database() as database:
        rows = database.digest("kiln")
    return State(rows, points_of(kiln), kiln.readme.read_bytes())


def points_of(kiln: Kiln) -> dict[str, str]:
    """Point key → fingerprint of its payload, "" where payload or vector are not what they say."""
    workspace, deadline = kiln.workspace(), Deadline(SECONDS)
    assert workspace.qdrant
    embedder = open_embedder(workspace.embedding)
    with open_store(workspace.qdrant).open(
        CollectionId("kiln", Kind.DOCS),
        model=embedder.model,
        dimension=embedder.dimension,
        write=False,
        deadline=deadline,
    ) as collection:
        return collection.fingerprints(deep=True, deadline=deadline)


# What `edit` changes: BUILD-3 is updated, BUILD-4 is new and BUILD-2 is gone.
CHANGED_TEXTS = 2


def edit(kiln: Kiln) -> None:
    """An update, an insert and a delete in one ledger, which the README's summary shows."""
    text = BUILDS.replace("the cones cracked above it", "the shelves cracked above it")
    text = text.replace("| 2026-02-02 | BUILD-2 | Hotfix | Thermocouple filter | 1 |\n", "")
    text = text.partition("### BUILD-2")[0]
    new = "### BUILD-4 | 2026-02-04 | Feature | Cooling curve\n\nThe kiln cools by 80 K an hour down to 500 degrees.\n"
    kiln.builds.write_text(f"{text}{new}")


def leftovers(kiln: Kiln) -> list[str]:
    """Temporary files below the workspace."""
    return [path.name for path in kiln.folder.rglob("*.tmp")]


def require_agreement(kiln: Kiln) -> None:
    found = kiln.verify()
    assert found.agree, found
