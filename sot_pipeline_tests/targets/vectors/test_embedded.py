"""The embedded store under fire: seals, damage, crashes and other processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from sot_pipeline.errors import DeadlineExceeded, VectorStoreUnavailable
from sot_pipeline.plan import diff
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.vectors import holding, shard
from sot_pipeline.targets.vectors.embedded import EmbeddedStore
from sot_pipeline.targets.vectors.kinds import Kind
from sot_pipeline.targets.vectors.pointer import read_pointer, seal_of, write_pointer
from sot_pipeline.targets.vectors.shard import ShardDamaged, engine_errors
from sot_pipeline.targets.vectors.versions import Versions
from sot_pipeline_tests.targets.vectors.conftest import (
    DIMENSION,
    DOCS,
    MODEL,
    NEVER,
    PROJECT,
    embedded_rig,
    entry,
    fingerprints,
    live_folder,
    points,
    vectors_for,
    wanted,
    write,
)
from sot_pipeline_tests.users import said_to_nobody

FOUND = points(*(entry(number) for number in range(20)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vectors"


@pytest.fixture
def store(folder: Path) -> EmbeddedStore:
    return EmbeddedStore(folder)


def pointer_file(folder: Path) -> Path:
    return folder / f"{PROJECT}_sot_docs.json"


def seal(folder: Path) -> str:
    pointer = read_pointer(pointer_file(folder))
    assert pointer
    return pointer.seal


class TestSeal:
    def test_reading_leaves_the_pointer_file_alone(self, store: EmbeddedStore, folder: Path) -> None:
        write(store, FOUND)
        before = pointer_file(folder).stat()

        fingerprints(store)
        fingerprints(store, deep=True)

        after = pointer_file(folder).stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        assert seal(folder)

    def test_a_shallow_read_turns_deep_where_somebody_else_wrote(self, store: EmbeddedStore, folder: Path) -> None:
        write(store, FOUND)
        embedded_rig(folder).alter_payload(FOUND[3].key, {"text": "forged"})

        assert fingerprints(store) == {**wanted(FOUND), FOUND[3].key: ""}

    def test_a_shallow_read_notices_an_altered_vector(self, store: EmbeddedStore, folder: Path) -> None:
        write(store, FOUND)
        embedded_rig(folder).alter_vector(FOUND[3].key, [0.25] * DIMENSION)

        assert fingerprints(store) == {**wanted(FOUND), FOUND[3].key: ""}

    def test_damage_that_nobody_healed_is_never_sealed(self, store: EmbeddedStore, folder: Path) -> None:
        write(store, FOUND)
        embedded_rig(folder).alter_payload(FOUND[3].key, {"text": "forged"})

        fingerprints(store)
        write(store, points(entry(100)))

        assert fingerprints(store)[FOUND[3].key] == ""

    def test_healing_seals_again(self, store: EmbeddedStore, folder: Path) -> None:
        write(store, FOUND)
        embedded_rig(folder).alter_payload(FOUND[3].key, {"text": "forged"})

        with store.open(DOCS, model=MODEL, dimension=DIMENSION, write=True, deadline=NEVER) as collection:
            plan = diff(FOUND, collection.fingerprints(deep=False, deadline=NEVER))
            collection.upsert(plan.upserts, vectors_for(plan.upserts), NEVER)

        assert [point.key for point in plan.updates] == [FOUND[3].key]
        assert Versions(folder, DOCS).is_sealed(read_pointer(pointer_file(folder)))  # type: ignore[arg-type]

    def test_a_read_that_finds_everything_right_seals_again(self, store: EmbeddedStore, folder: Path) -> None:
        write(store, FOUND)
        embedded_rig(folder).alter_payload(FOUND[3].key, {"title": FOUND[3].title})
        assert not Versions(folder, DOCS).is_sealed(read_pointer(pointer_file(folder)))  # type: ignore[arg-type]

        fingerprints(store)

        assert Versions(folder, DOCS).is_sealed(read_pointer(pointer_file(folder)))  # type: ignore[arg-type]

    def test_points_are_audited_page_by_page(self, store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shard, "_SCROLL_POINTS", 7)
        write(store, FOUND)

        assert fingerprints(store, deep=True) == wanted(FOUND)

    def test_a_write_that_failed_half_way_is_never_sealed(self, store: EmbeddedStore, folder: Path) -> None:
        write(store, FOUND)
        zero(next(live_folder(folder).rglob("chunk_0.mmap")))
        pointer = read_pointer(pointer_file(folder))
        assert pointer
        write_pointer(pointer_file(folder), replace(pointer, seal=seal_of(live_folder(folder))))

        with pytest.raises(ShardDamaged):
            write(store, FOUND[:2])

        assert seal(folder) == ""

    def test_info_counts_anew_where_the_seal_is_broken(self, store: EmbeddedStore, folder: Path) -> None:
        write(store, FOUND)
        embedded_rig(folder).remove(FOUND[3].key)

        info = store.info(DOCS, NEVER)

        assert info
        assert info.points == len(FOUND) - 1


def zero(file: Path) -> None:
    os.truncate(file, 0)


def scramble(file: Path) -> None:
    with file.open("r+b") as handle:
        handle.write(bytes(range(255, 0, -1)) * 8)


SHARD_FILES = ["edge_config.json", "segments/*/segment.json", "segments/*/*.mappings", "segments/*/*.versions"]
SHARD_FILES += ["segments/*/payload_storage/page_0.dat", "segments/*/payload_index/config.json"]
SHARD_FILES += ["segments/*/vector_storage/vectors/chunk_0.mmap", "segments/*/vector_storage/deleted/status.dat"]
GARBAGE = [b"", b"{", b"[]", b"\xff\xfe", b'{"version": 1}', b'{"version": "../x", "model": "m", "dimension": 3}']
GARBAGE += [
    b'{"version": true, "model": "m", "dimension": 3}',
    b'{"version": 1, "model": "m", "dimension": 3, "more": 1}',
]


class TestDamage:
    @pytest.mark.parametrize("harm", [zero, scramble, Path.unlink], ids=["zero", "scrambled", "missing"])
    @pytest.mark.parametrize("pattern", SHARD_FILES, ids=lambda pattern: pattern.rsplit("/", 1)[-1])
    def test_a_damaged_file_never_crashes_and_is_healed_by_plans(
        self, store: EmbeddedStore, folder: Path, pattern: str, harm: Callable[[Path], None]
    ) -> None:
        write(store, FOUND)
        for file in list(live_folder(folder).glob(pattern)):
            harm(file)

        for _ in range(2):
            plan = diff(FOUND, fingerprints(store, deep=True))
            write(store, plan.upserts)

        assert fingerprints(store, deep=True) == wanted(FOUND)
        assert fingerprints(store) == wanted(FOUND)

    def test_a_missing_shard_counts_as_an_empty_collection(self, store: EmbeddedStore, folder: Path) -> None:
        write(store, FOUND)
        shutil.rmtree(live_folder(folder))

        assert fingerprints(store) == {}
        write(store, FOUND)
        assert fingerprints(store, deep=True) == wanted(FOUND)

    def test_a_search_of_a_damaged_index_says_so_and_how_to_mend_it(self, store: EmbeddedStore, folder: Path) -> None:
        write(store, FOUND)
        zero(live_folder(folder) / "edge_config.json")

        with (
            pytest.raises(VectorStoreUnavailable, match="is damaged") as refused,
            store.open(DOCS, model=MODEL, dimension=DIMENSION, write=False, deadline=NEVER) as collection,
        ):
            collection.search([0.25] * DIMENSION, limit=1, file_types=[], deadline=NEVER)

        assert "sot sync --full --rebuild --execute" in refused.value.remedy

    @pytest.mark.parametrize("garbage", GARBAGE)
    def test_a_garbage_pointer_counts_as_missing(self, store: EmbeddedStore, folder: Path, garbage: bytes) -> None:
        write(store, FOUND)
        pointer_file(folder).write_bytes(garbage)

        assert store.info(DOCS, NEVER) is None
        assert fingerprints(store) == {}
        assert list(store.projects(Kind.DOCS, NEVER)) == []
        write(store, FOUND)
        assert fingerprints(store, deep=True) == wanted(FOUND)
        assert len(list(folder.glob("*_v*"))) == 1

    def test_a_full_disk_is_refused_before_the_engine_writes(
        self, store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(store, FOUND[:1])
        monkeypatch.setattr(shard, "MIN_FREE_BYTES", 1 << 62)

        with pytest.raises(VectorStoreUnavailable, match="MB are free"):
            write(store, FOUND)

        assert fingerprints(store, deep=True) == wanted(FOUND[:1])

    def test_a_file_in_place_of_the_folder_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "taken").write_text("mine")

        with pytest.raises(VectorStoreUnavailable, match="not a folder we may write"):
            EmbeddedStore(tmp_path / "taken" / "vectors").check(NEVER)

    def test_what_the_machine_lacks_is_not_taken_for_damage(self, folder: Path) -> None:
        with pytest.raises(VectorStoreUnavailable, match="Permission denied") as refused, engine_errors(folder):
            raise Exception("failed to open: Permission denied (os error 13)")

        assert not isinstance(refused.value, ShardDamaged)

    def test_info_of_a_damaged_index_counts_no_points(self, store: EmbeddedStore, folder: Path) -> None:
        write(store, FOUND)
        shutil.rmtree(live_folder(folder))

        info = store.info(DOCS, NEVER)

        assert info
        assert info.points == 0

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "taken").write_text("mine")

        with pytest.raises(VectorStoreUnavailable, match="cannot be made"):
            write(EmbeddedStore(tmp_path / "taken" / "vectors"), FOUND)

    def test_a_pointer_that_cannot_be_written_is_named(self, store: EmbeddedStore, folder: Path) -> None:
        write(store, FOUND)
        (folder / f"{pointer_file(folder).name}.tmp").mkdir()

        with pytest.raises(VectorStoreUnavailable, match="cannot be written"):
            write(store, FOUND)

    def test_a_check_writes_nothing(self, store: EmbeddedStore, folder: Path) -> None:
        store.check(NEVER)

        assert not folder.exists()


CHILD = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from sot_pipeline.targets.vectors.embedded import EmbeddedStore
    from sot_pipeline_tests.targets.vectors.conftest import *
    store = EmbeddedStore(Path(sys.argv[1]))
    found = points(*(entry(number, sys.argv[2]) for number in range(20)))
    """
)


class Child:
    """Another process that works on the store; it prints a line when it has come to `pause()`."""

    def __init__(self, folder: Path, work: str, content: str = "text") -> None:
        code = f"{CHILD}\ndef pause():\n    print('here', flush=True)\n    time.sleep(60)\n{textwrap.dedent(work)}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(folder), content], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
        )

    def wait_until_it_pauses(self) -> None:
        assert self.process.stdout
        assert self.process.stdout.readline() == "here\n"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()


UPSERT_THEN_PAUSE = """
    with store.open(DOCS, model=MODEL, dimension=DIMENSION, write=True, deadline=NEVER) as collection:
        collection.upsert(found, vectors_for(found), NEVER)
        pause()
"""
REBUILD_THEN_PAUSE = """
    with store.rebuild(DOCS, model="new", dimension=DIMENSION, deadline=NEVER) as collection:
        collection.upsert(found, vectors_for(found), NEVER)
        pause()
"""


class TestCrash:
    @pytest.mark.parametrize("first", [[], FOUND[:7]], ids=["new", "existing"])
    def test_a_kill_between_upsert_and_flush_is_healed_by_the_next_plan(
        self, store: EmbeddedStore, folder: Path, first: list[object]
    ) -> None:
        if first:
            write(store, FOUND[:7])
        edited = points(*(entry(number, "edited") for number in range(20)))
        child = Child(folder, UPSERT_THEN_PAUSE, "edited")
        child.wait_until_it_pauses()
        child.kill()

        plan = diff(edited, fingerprints(store))
        write(store, plan.upserts)

        assert fingerprints(store) == fingerprints(store, deep=True) == wanted(edited)

    def test_a_kill_at_any_moment_of_many_small_writes_is_healed(self, store: EmbeddedStore, folder: Path) -> None:
        work = """
            print("here", flush=True)
            while True:
                for point in found:
                    write(store, found[::2] + [point])
                    with store.open(DOCS, model=MODEL, dimension=DIMENSION, write=True, deadline=NEVER) as live:
                        live.delete([point.key], NEVER)
        """
        for attempt in range(5):
            child = Child(folder, work)
            child.wait_until_it_pauses()
            time.sleep(0.03 + 0.037 * attempt)
            child.kill()

            plan = diff(FOUND, fingerprints(store))
            write(store, plan.upserts)

            assert fingerprints(store, deep=True) == wanted(FOUND)

    def test_a_kill_during_a_rebuild_keeps_the_old_version_and_its_rest_is_swept(
        self, store: EmbeddedStore, folder: Path
    ) -> None:
        write(store, FOUND)
        child = Child(folder, REBUILD_THEN_PAUSE, "new")
        child.wait_until_it_pauses()
        child.kill()
        assert len(list(folder.glob("*_v*"))) == 2

        assert fingerprints(store) == fingerprints(store, deep=True) == wanted(FOUND)
        write(store, FOUND[:1])

        assert list(folder.glob("*_v*")) == [live_folder(folder)]

    def test_a_rebuild_leaves_only_its_own_version(self, store: EmbeddedStore, folder: Path) -> None:
        write(store, FOUND)
        before = live_folder(folder)

        with store.rebuild(DOCS, model=MODEL, dimension=DIMENSION, deadline=NEVER) as fresh:
            fresh.upsert(FOUND, vectors_for(FOUND), NEVER)

        assert list(folder.glob("*_v*")) == [live_folder(folder)] != [before]
        assert Versions(folder, DOCS).is_sealed(read_pointer(pointer_file(folder)))  # type: ignore[arg-type]

    def test_the_pointer_is_replaced_whole(self, store: EmbeddedStore, folder: Path) -> None:
        write(store, FOUND)
        child = Child(
            folder,
            """
            from sot_pipeline.targets.vectors.pointer import Pointer, write_pointer
            print("here", flush=True)
            while True:
                write_pointer(Path(sys.argv[1]) / "other.json", Pointer(1, "m" * 5000, 3))
            """,
        )
        child.wait_until_it_pauses()
        while not (folder / "other.json").exists():
            time.sleep(0.01)
        seen = {len(json.loads((folder / "other.json").read_bytes())["model"]) for _ in range(300)}
        child.kill()

        assert seen == {5000}


class TestOtherProcesses:
    def test_a_reader_waits_for_a_writer_to_finish(self, store: EmbeddedStore, folder: Path) -> None:
        child = Child(folder, UPSERT_THEN_PAUSE.replace("pause()", "print('here', flush=True); time.sleep(0.4)"))
        child.wait_until_it_pauses()

        started = time.monotonic()
        seen = fingerprints(store)
        waited = time.monotonic() - started

        assert child.process.wait() == 0
        child.process.stdout.close()  # type: ignore[union-attr]
        assert seen == wanted(FOUND)
        assert waited > 0.2

    def test_a_holder_beyond_the_deadline_is_named(self, store: EmbeddedStore, folder: Path) -> None:
        child = Child(folder, UPSERT_THEN_PAUSE)
        child.wait_until_it_pauses()

        started = time.monotonic()
        with (
            pytest.raises(DeadlineExceeded, match=rf"in use by process {child.process.pid} on ") as refused,
            store.open(DOCS, model=MODEL, dimension=DIMENSION, write=True, deadline=Deadline(0.3)),
        ):
            pass
        waited = time.monotonic() - started
        child.kill()

        assert re.search(r"since \d{4}-\d\d-\d\d", refused.value.message)
        assert waited < 2

    def test_the_wait_is_bounded_without_a_deadline(
        self, store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(holding, "LOCK_WAIT_SECONDS", 0.1)
        write(store, FOUND)

        with (
            store.open(DOCS, model=MODEL, dimension=DIMENSION, write=False, deadline=NEVER),
            pytest.raises(VectorStoreUnavailable, match="in use by process"),
        ):
            fingerprints(store)

    def test_a_holder_without_a_name_is_another_process(self, store: EmbeddedStore, folder: Path) -> None:
        write(store, FOUND)

        with (
            FileLock(Versions(folder, DOCS).shard_lock),
            pytest.raises(DeadlineExceeded, match="in use by another process"),
            store.open(DOCS, model=MODEL, dimension=DIMENSION, write=False, deadline=Deadline(0.1)),
        ):
            pass

    def test_a_lock_file_that_cannot_be_made_is_named(self, store: EmbeddedStore, folder: Path) -> None:
        write(store, FOUND)
        lock = Versions(folder, DOCS).shard_lock
        lock.unlink(missing_ok=True)
        lock.mkdir()

        with pytest.raises(VectorStoreUnavailable, match=rf"cannot be locked: {lock}"):
            fingerprints(store)

    def test_two_processes_that_write_at_once_lose_nothing(self, store: EmbeddedStore, folder: Path) -> None:
        work = """
            for point in found[{parity}:12:2]:
                write(store, [point])
        """
        children = [Child(folder, work.format(parity=parity)) for parity in (0, 1)]
        codes = [child.process.wait() for child in children]
        for child in children:
            child.process.stdout.close()  # type: ignore[union-attr]

        assert codes == [0, 0]
        assert fingerprints(store) == fingerprints(store, deep=True) == wanted(FOUND[:12])

    def test_readers_go_on_during_a_rebuild_and_writers_wait(self, store: EmbeddedStore, folder: Path) -> None:
        write(store, FOUND)
        child = Child(folder, REBUILD_THEN_PAUSE)
        child.wait_until_it_pauses()

        seen = fingerprints(store)
        with (
            pytest.raises(DeadlineExceeded, match="in use by process"),
            store.open(DOCS, model=MODEL, dimension=DIMENSION, write=True, deadline=Deadline(0.1)),
        ):
            pass
        child.kill()

        assert seen == wanted(FOUND)

    def test_a_rebuild_that_cannot_swap_keeps_the_old_version(
        self, store: EmbeddedStore, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(holding, "LOCK_WAIT_SECONDS", 0.1)
        write(store, FOUND)
        inside, done = threading.Event(), threading.Event()

        def read_slowly() -> None:
            with store.open(DOCS, model=MODEL, dimension=DIMENSION, write=False, deadline=NEVER):
                inside.set()
                done.wait(10)

        reader = threading.Thread(target=read_slowly)
        reader.start()
        inside.wait(10)
        with (
            pytest.raises(VectorStoreUnavailable, match="in use by process"),
            store.rebuild(DOCS, model="new", dimension=DIMENSION, deadline=NEVER),
        ):
            pass
        done.set()
        reader.join()

        assert list(folder.glob("*_v*")) == [live_folder(folder)]
        assert fingerprints(store, deep=True) == wanted(FOUND)

    def test_a_folder_that_may_not_be_written_is_refused(self, store: EmbeddedStore, folder: Path) -> None:
        write(store, FOUND)
        folder.chmod(0o555)
        try:
            said = said_to_nobody(folder, lambda: store.check(NEVER))
        finally:
            folder.chmod(0o755)

        assert "not a folder we may write" in said


def test_a_pointer_of_an_older_version_number_is_never_reused(store: EmbeddedStore, folder: Path) -> None:
    write(store, FOUND)
    pointer = read_pointer(pointer_file(folder))
    assert pointer

    for _ in range(2):
        with store.rebuild(DOCS, model=MODEL, dimension=DIMENSION, deadline=NEVER) as fresh:
            fresh.upsert(FOUND, vectors_for(FOUND), NEVER)

    latest = read_pointer(pointer_file(folder))
    assert latest
    assert latest.version == pointer.version + 2
    write_pointer(pointer_file(folder), pointer)
    assert fingerprints(store) == {}
