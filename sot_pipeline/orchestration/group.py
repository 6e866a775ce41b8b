"""A group of assets: what all assets, checks, jobs and schedules of one kind of source have in common.

Which assets a group has is in `assets.py`, `code_assets.py` and `skill_assets.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import dagster as dg

from sot_pipeline.orchestration.steps import RETRIES
from sot_pipeline.workspace import Project, Workspace

OWNERS = ["team:sot"]
# One writer at a time: writing steps take the workspace's locks, and waiting in a queue is
# cheaper than waiting in a process.
WRITERS_POOL = "sot_writers"
LEDGERS, CODE, SKILLS = "ledgers", "code", "skills"

_HAS: dict[str, Callable[[Project], bool]] = {
    LEDGERS: lambda _: True,
    CODE: lambda project: project.code is not None,
    SKILLS: lambda project: project.skills is not None,
}


@dataclass(frozen=True, slots=True)
class Group:
    """A group, and the projects that are its partitions. Without any it has no asset."""

    name: str
    projects: tuple[Project, ...]
    database: str
    version: str = ""

    @property
    def partitions(self) -> dg.PartitionsDefinition[str]:
        """One for each project."""
        return dg.StaticPartitionsDefinition([project.id for project in self.projects])

    def files(self, name: str, description: str, kind: str) -> dg.AssetSpec:
        """The asset of the files: the sensor reports their hash, no run makes it."""
        return dg.AssetSpec(
            name,
            description=description,
            group_name=self.name,
            owners=OWNERS,
            partitions_def=self.partitions,
            kinds={kind},
        )

    @property
    def asset(self) -> partial[Callable[..., dg.AssetsDefinition]]:
        """Makes an asset of a function; with `pool` for one that writes."""
        return partial(
            dg.asset,
            group_name=self.name,
            owners=OWNERS,
            partitions_def=self.partitions,
            code_version=self.version,
            retry_policy=RETRIES,
        )

    @property
    def written(self) -> partial[Callable[..., dg.AssetsDefinition]]:
        """Makes an asset of a function that writes a target."""
        return partial(self.asset, pool=WRITERS_POOL)

    @property
    def check(self) -> partial[Callable[..., dg.AssetChecksDefinition]]:
        """Makes an asset check of a function."""
        return partial(dg.asset_check, partitions_def=self.partitions, retry_policy=RETRIES)


def group_of(workspace: Workspace, name: str, version: str = "") -> Group:
    """The group of that name in `workspace`; `version` is that of the code which makes its assets."""
    database = "sqlite" if workspace.database_url.startswith("sqlite") else "postgresql"
    return Group(name, projects_of(workspace.projects, name), database, version)


def projects_of(projects: Iterable[Project], name: str) -> tuple[Project, ...]:
    """Those of `projects` that have what a group is made from."""
    return tuple(filter(_HAS[name], projects))
