"""`sot locks …`: who holds the locks, and freeing one that nobody will give back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from sot_pipeline.cli.options import (
    DEFAULT_MAX_SECONDS,
    ConfigOption,
    DatabaseOption,
    JsonOption,
    SecondsOption,
    workspace_of,
)
from sot_pipeline.cli.output import say, say_json, say_targets, style
from sot_pipeline.plan import Json
from sot_pipeline.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sot_pipeline.runtime.leases import Lock

app = typer.Typer(no_args_is_help=True, help="Locks between writers.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The lock, as 'sot locks status' names it.")]
ExpectOwner = Annotated[
    str, typer.Option("--expect-owner", metavar="OWNER", help="Only where this owner still holds it.")
]
ExpectFence = Annotated[int, typer.Option("--expect-fence", metavar="N", help="Only where it still has this fence.")]
Force = Annotated[bool, typer.Option("--force", help="Even if the holder may be at work; its next write is refused.")]


@app.command()
def status(
    database_url: DatabaseOption = None,
    max_seconds: SecondsOption = DEFAULT_MAX_SECONDS,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the locks in the database: who holds them, since when and until when. Reads only."""
    from sot_pipeline.targets.database import Database

    deadline = Deadline(max_seconds)
    workspace = workspace_of(config, database_url=database_url)
    say_targets({"database": workspace.targets["database"]})
    with Database(workspace.database_url) as database:
        database.check(deadline)
        locks = database.locks(deadline)
    if json:
        say_json({"locks": [_document(lock) for lock in locks]})
        return
    for lock in locks:
        _say_lock(lock)
    if not locks:
        say("No lock was ever taken.")


@app.command(name="break")
def break_(
    name: Name,
    expect_owner: ExpectOwner,
    expect_fence: ExpectFence,
    force: Force = False,
    database_url: DatabaseOption = None,
    max_seconds: SecondsOption = DEFAULT_MAX_SECONDS,
    config: ConfigOption = None,
) -> None:
    """Free a lock whose lease is over for the grace time or whose holder is proven dead on this host."""
    from sot_pipeline.runtime.leases import TIMES
    from sot_pipeline.runtime.process import this_process
    from sot_pipeline.targets.database import Database

    workspace = workspace_of(config, database_url=database_url)
    say_targets({"database": workspace.targets["database"]})
    with Database(workspace.database_url) as database:
        lock = database.break_lock(
            name,
            owner=expect_owner,
            fence=expect_fence,
            grace=TIMES.grace,
            force=force,
            by=f"user {os.getuid()} ({this_process()})",
            deadline=Deadline(max_seconds),
        )
    say(f"{name}  broken; it was held by {lock.describe_holder()}")


def _document(lock: Lock) -> dict[str, Json]:
    from sot_pipeline.runtime.leases import moment

    times = {"acquired_at": lock.acquired_at, "heartbeat_at": lock.heartbeat_at, "expires_at": lock.expires_at}
    return {
        "name": lock.name,
        "state": lock.state.value,
        "fence": lock.fence,
        "owner": lock.owner or None,
        "command": lock.command or None,
        "host": lock.holder.host if lock.holder else None,
        "pid": lock.holder.pid if lock.holder else None,
        "holder_is_dead": lock.holder_is_dead,
        **{name: None if at is None else moment(at) for name, at in times.items()},
        "seconds_left": None if lock.left is None else round(lock.left, 1),
        "progress": lock.progress,
    }


def _say_lock(lock: Lock) -> None:
    from sot_pipeline.runtime.leases import LockState

    say(f"{style(lock.name, bold=True):<8}  {lock.state}  fence {lock.fence}")
    if lock.state is LockState.FREE:
        return
    say(f"  {lock.describe_holder()}")
    if lock.left is not None:
        say(f"  the lease {'ends in' if lock.left > 0 else 'is over for'} {abs(lock.left):.0f} s")
    if lock.holder_is_dead:
        say("  its holder is proven dead: the next writer takes it over")
    say(f"  {lock.break_command()}")
