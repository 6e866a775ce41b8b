"""Collections on a Qdrant server: versions behind an alias.

A collection's name, such as `{project_id}_sot_docs`, is an alias onto `{name}_v{n}`. The model a version was built
with stands in its collection metadata (Qdrant 1.16 and newer). A rebuild fills a new version and
moves the alias in one request. Reading and writing points is `remote.py`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from sot_pipeline.errors import DeadlineExceeded, VectorStoreUnavailable
from sot_pipeline.redact import redact
from sot_pipeline.runtime.deadline import Deadline
from sot_pipeline.targets.vectors.attempts import Attempts
from sot_pipeline.targets.vectors.kinds import CollectionId, Kind
from sot_pipeline.targets.vectors.payload import INDEXED_FIELDS
from sot_pipeline.targets.vectors.remote import ServerCollection
from sot_pipeline.targets.vectors.store import CollectionInfo, require_match

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

_MODEL = "sot_embedding_model"

# Enough to take back a version that could not be finished, even when the deadline is over.
_CLEANUP_SECONDS = 5.0


class _Live(NamedTuple):
    version: str
    model: str
    dimension: int


class ServerStore:
    """All collections of one server. `connect` makes the client; tests pass another."""

    def __init__(
        self, url: str, api_key: SecretStr | None = None, *, connect: Callable[[], QdrantClient] | None = None
    ) -> None:
        self._url = url
        self._api_key = api_key
        self._connect = connect or self._connect_rest
        self._where = redact(url)
        self._attempts = Attempts(self._where, _secrets(url, api_key))

    def check(self, deadline: Deadline) -> None:
        """See VectorStore. Tried once: a server that is down is reported at once."""
        self._attempts.run(deadline, lambda: self._client.get_collections(), attempts=1)

    def info(self, collection: CollectionId, deadline: Deadline) -> CollectionInfo | None:
        """See VectorStore."""
        live = self._live(collection, deadline)
        if live is None:
            return None
        points = self._collection(live.version, live.dimension).count(deadline)
        return CollectionInfo(collection.name, live.model, live.dimension, points)

    def projects(self, kind: Kind, deadline: Deadline) -> Iterator[str]:
        """See VectorStore."""
        names = sorted(self._aliases(deadline))
        return (name.removesuffix(kind.suffix) for name in names if name.endswith(kind.suffix))

    @contextmanager
    def open(
        self, collection: CollectionId, *, model: str, dimension: int, write: bool, deadline: Deadline
    ) -> Iterator[ServerCollection]:
        """See VectorStore."""
        live = self._live(collection, deadline)
        if live:
            require_match(collection, live.model, live.dimension, model=model, dimension=dimension)
        elif write:
            version = self._create(collection.name, model, dimension, deadline)
            self._move_alias(collection.name, version, None, deadline)
            live = _Live(version, model, dimension)
        yield self._collection(live.version if live else None, dimension)

    @contextmanager
    def rebuild(
        self, collection: CollectionId, *, model: str, dimension: int, deadline: Deadline
    ) -> Iterator[ServerCollection]:
        """See VectorStore. Versions that a crash left behind are dropped first."""
        name = collection.name
        old = self._aliases(deadline).get(name)
        self._drop_all_but(name, old, deadline)
        version = self._create(name, model, dimension, deadline)
        try:
            yield self._collection(version, dimension)
            self._move_alias(name, version, old, deadline)
        except BaseException:
            with suppress(VectorStoreUnavailable, DeadlineExceeded):
                self._drop_unless_live(name, version, Deadline(_CLEANUP_SECONDS))
            raise
        self._drop_all_but(name, version, deadline)

    @cached_property
    def _client(self) -> QdrantClient:
        return self._connect()

    def _connect_rest(self) -> QdrantClient:
        from qdrant_client import QdrantClient

        with warnings.catch_warnings():
            # A key over plain http is the user's choice, made in sight of the URL.
            warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
            client = QdrantClient(
                url=self._url,
                api_key=self._api_key.get_secret_value() if self._api_key else None,
                prefer_grpc=False,
                check_compatibility=False,
            )
        client.http.client.add_middleware(self._attempts.bound)
        return client

    def _collection(self, version: str | None, dimension: int) -> ServerCollection:
        return ServerCollection(self._client, self._attempts, version, dimension)

    def _aliases(self, deadline: Deadline) -> dict[str, str]:
        """Alias → collection, of the whole server."""
        answer = self._attempts.run(deadline, lambda: self._client.get_aliases())
        return {alias.alias_name: alias.collection_name for alias in answer.aliases}

    def _names(self, deadline: Deadline) -> list[str]:
        answer = self._attempts.run(deadline, lambda: self._client.get_collections())
        return [collection.name for collection in answer.collections]

    def _live(self, collection: CollectionId, deadline: Deadline) -> _Live | None:
        """The version behind the alias and what it was built with."""
        name = collection.name
        version = self._aliases(deadline).get(name)
        if version is None:
            if name in self._names(deadline):
                raise self._foreign(name, "is a collection and not our alias")
            return None
        live = self._described(version, deadline)
        if live is None:
            raise self._foreign(name, f"points to '{version}', which does not say what it was built with")
        return live

    def _described(self, version: str, deadline: Deadline) -> _Live | None:
        from qdrant_client import models

        config = self._attempts.run(deadline, lambda: self._client.get_collection(version)).config
        model = (config.metadata or {}).get(_MODEL)
        vectors = config.params.vectors
        if not isinstance(model, str) or not isinstance(vectors, models.VectorParams):
            return None
        return _Live(version, model, vectors.size)

    def _foreign(self, name: str, what: str) -> VectorStoreUnavailable:
        return VectorStoreUnavailable(
            f"'{name}' on Qdrant at {self._where} {what}: another program made it.",
            remedy="Delete or rename it there, then run the same command again.",
        )

    def _create(self, name: str, model: str, dimension: int, deadline: Deadline) -> str:
        """A new, empty version of collection `name` with its payload indexes; not live yet."""
        from qdrant_client import models

        version = f"{name}_v{1 + max(_version_numbers(name, self._names(deadline)), default=0)}"
        self._attempts.run(
            deadline,
            lambda: self._client.create_collection(
                version,
                vectors_config=models.VectorParams(size=dimension, distance=models.Distance.COSINE),
                metadata={_MODEL: model},
            ),
            attempts=1,
        )
        if self._described(version, deadline) is None:
            self._drop(version, deadline)
            raise VectorStoreUnavailable(
                f"Qdrant at {self._where} keeps no collection metadata, so it is older than 1.16.",
                remedy="Upgrade the server, or name a path to use the embedded engine.",
            )
        for field in INDEXED_FIELDS:
            self._attempts.run(
                deadline,
                partial(self._client.create_payload_index, version, field, models.PayloadSchemaType.KEYWORD, wait=True),
            )
        return version

    def _move_alias(self, name: str, version: str, old: str | None, deadline: Deadline) -> None:
        """Point the alias `name` to `version` in one request: readers see the old or the new version."""
        from qdrant_client import models

        new = models.CreateAlias(collection_name=version, alias_name=name)
        steps: list[models.AliasOperations] = [models.CreateAliasOperation(create_alias=new)]
        if old is not None:
            steps.insert(0, models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=name)))
        self._attempts.run(deadline, lambda: self._client.update_collection_aliases(steps))

    def _drop_all_but(self, name: str, keep: str | None, deadline: Deadline) -> None:
        for number in _version_numbers(name, self._names(deadline)):
            version = f"{name}_v{number}"
            if version != keep:
                self._drop(version, deadline)

    def _drop_unless_live(self, name: str, version: str, deadline: Deadline) -> None:
        """An answer may be lost after the alias moved, so the server is asked before anything goes."""
        if self._aliases(deadline).get(name) != version:
            self._drop(version, deadline)

    def _drop(self, version: str, deadline: Deadline) -> None:
        self._attempts.run(deadline, lambda: self._client.delete_collection(version))


def _secrets(url: str, api_key: SecretStr | None) -> list[str]:
    """What a server could quote of the request that it refuses."""
    parts = urlsplit(url)
    secrets = (api_key.get_secret_value() if api_key else None, parts.password, unquote(parts.password or ""))
    return [secret for secret in secrets if secret]


def _version_numbers(name: str, names: list[str]) -> list[int]:
    numbers = [found.removeprefix(f"{name}_v") for found in names if found.startswith(f"{name}_v")]
    return [int(number) for number in numbers if number.isdecimal()]
