"""A loopback server that speaks the part of Qdrant's REST API that our calls use.

Points, filters and scores come from the real engine (qdrant-edge), one shard a collection; only
the HTTP surface, collections and aliases are imitated. Faults are switched on by attributes.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

import qdrant_edge as engine


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class StubQdrantServer:
    """Use as a context manager; `url` is where it listens.

    Faults: `statuses` are answered, one a request, before anything works again; every answer waits
    `delay` seconds; `lost_answers` requests are carried out but their connection is reset;
    `down_after` requests the server resets every connection; `api_key` is asked for where set;
    `keeps_metadata` False imitates a Qdrant before 1.16.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.statuses: list[int] = []
        self.headers: dict[str, str] = {}
        self.delay = 0.0
        self.lost_answers = 0
        self.down_after: int | None = None
        self.api_key: str | None = None
        self.keeps_metadata = True
        self.requests: list[str] = []
        self.shards: dict[str, engine.EdgeShard] = {}
        self.aliases: dict[str, str] = {}
        self._configs: dict[str, dict[str, Any]] = {}
        self._turn = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> StubQdrantServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening: connections are refused from here on."""
        if self._thread.is_alive():
            self._http.shutdown()
            self._http.server_close()
            self._thread.join()
            for shard in self.shards.values():
                shard.close()

    def shard(self, name: str) -> engine.EdgeShard:
        """The shard behind a collection or alias."""
        return self.shards[self._resolve(name)]

    def answer(self, method: str, path: str, body: Any) -> Any:
        for wanted, pattern, action in ROUTES:
            found = re.fullmatch(pattern, path)
            if wanted == method and found:
                return action(self, body, *map(unquote, found.groups()))
        raise Refused(404, f"no such call: {method} {path}")

    def list_collections(self, _: Any) -> Any:
        return {"collections": [{"name": name} for name in self.shards]}

    def create_collection(self, body: Any, name: str) -> Any:
        if name in self.shards or name in self.aliases:
            raise Refused(409, f"Wrong input: Collection `{name}` already exists!")
        vectors = body["vectors"]
        folder = self.folder / name
        folder.mkdir(parents=True)
        config = engine.EdgeConfig(
            vectors=engine.EdgeVectorParams(size=vectors["size"], distance=engine.Distance.Cosine), wal_enabled=False
        )
        self.shards[name] = engine.EdgeShard.create(str(folder), config)
        self._configs[name] = {"vectors": vectors, "metadata": body.get("metadata") if self.keeps_metadata else None}
        return True

    def describe(self, _: Any, name: str) -> Any:
        shard, config = self.shard(name), self._configs[self._resolve(name)]
        return {
            "status": "green",
            "optimizer_status": "ok",
            "segments_count": 1,
            "points_count": shard.count(engine.CountRequest()),
            "payload_schema": {field: {"data_type": "keyword", "points": 0} for field in shard.info().payload_schema},
            "config": {
                "params": {"vectors": config["vectors"]},
                "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000},
                "optimizer_config": {"deleted_threshold": 0.2, "vacuum_min_vector_number": 1000}
                | {"default_segment_number": 0, "flush_interval_sec": 5},
                "metadata": config["metadata"],
            },
        }

    def delete_collection(self, _: Any, name: str) -> Any:
        if name not in self.shards:
            return False
        self.shards.pop(name).close()
        self.aliases = {alias: target for alias, target in self.aliases.items() if target != name}
        shutil.rmtree(self.folder / name)
        return True

    def list_aliases(self, _: Any) -> Any:
        return {"aliases": [{"alias_name": a, "collection_name": c} for a, c in self.aliases.items()]}

    def change_aliases(self, body: Any) -> Any:
        aliases = dict(self.aliases)
        for action in body["actions"]:
            if "delete_alias" in action:
                aliases.pop(action["delete_alias"]["alias_name"], None)
            else:
                new = action["create_alias"]
                if new["alias_name"] in self.shards:
                    raise Refused(409, f"Wrong input: Collection `{new['alias_name']}` already exists!")
                if new["collection_name"] not in self.shards:
                    raise Refused(404, f"Not found: Collection `{new['collection_name']}` doesn't exist!")
                aliases[new["alias_name"]] = new["collection_name"]
        self.aliases = aliases
        return True

    def create_index(self, body: Any, name: str) -> Any:
        assert body["field_schema"] == "keyword"
        field = body["field_name"]
        self.shard(name).update(engine.UpdateOperation.create_field_index(field, engine.PayloadSchemaType.Keyword))
        return {"operation_id": 0, "status": "completed"}

    def upsert(self, body: Any, name: str) -> Any:
        points = [engine.Point(point["id"], point["vector"], point["payload"]) for point in body["points"]]
        self.shard(name).update(engine.UpdateOperation.upsert_points(points))
        return {"operation_id": 0, "status": "completed"}

    def delete_points(self, body: Any, name: str) -> Any:
        self.shard(name).update(engine.UpdateOperation.delete_points(body["points"]))
        return {"operation_id": 0, "status": "completed"}

    def retrieve(self, body: Any, name: str) -> Any:
        found = self.shard(name).retrieve(body["ids"], body.get("with_payload"), body.get("with_vector"))
        return [_record(point) for point in found]

    def scroll(self, body: Any, name: str) -> Any:
        page, offset = self.shard(name).scroll(
            engine.ScrollRequest(
                body.get("offset"), body["limit"], with_payload=body["with_payload"], with_vector=body["with_vector"]
            )
        )
        return {
            "points": [_record(point) for point in page],
            "next_page_offset": None if offset is None else str(offset),
        }

    def count(self, body: Any, name: str) -> Any:
        return {"count": self.shard(name).count(engine.CountRequest(exact=body["exact"]))}

    def query(self, body: Any, name: str) -> Any:
        only = None
        if body.get("filter"):
            must = body["filter"]["must"]
            only = engine.Filter(
                must=[engine.FieldCondition(part["key"], match=engine.MatchAny(part["match"]["any"])) for part in must]
            )
        hits = self.shard(name).search(
            engine.SearchRequest(
                engine.Query.Nearest(body["query"]["nearest"]),
                body["limit"],
                filter=only,
                with_payload=body["with_payload"],
                params=engine.SearchParams(exact=body["params"]["exact"]),
            )
        )
        return {"points": [{**_record(hit), "version": 0, "score": hit.score} for hit in hits]}

    def _resolve(self, name: str) -> str:
        name = self.aliases.get(name, name)
        if name not in self.shards:
            raise Refused(404, f"Not found: Collection `{name}` doesn't exist!")
        return name

    def take(self, method: str, path: str, body: bytes, key: str | None) -> tuple[int, Any]:
        """Status and document of one request, faults included."""
        with self._turn:
            self.requests.append(f"{method} {path}")
            if self.down_after is not None and len(self.requests) > self.down_after:
                raise ConnectionResetError
            try:
                if self.api_key and key != self.api_key:
                    raise Refused(401, "Must provide an API key or an Authorization bearer token")
                if self.statuses:
                    raise Refused(self.statuses.pop(0), "a fault of the stub")
                result = self.answer(method, path, json.loads(body) if body else None)
            except Refused as refused:
                return refused.status, {"status": {"error": refused.message}, "time": 0.0}
            if self.lost_answers:
                self.lost_answers -= 1
                raise ConnectionResetError
            return 200, {"result": result, "status": "ok", "time": 0.0}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                try:
                    status, document = stub.take(
                        self.command, urlsplit(self.path).path, body, self.headers.get("api-key")
                    )
                except ConnectionResetError:
                    # Linger 0: closing sends a reset instead of an orderly end.
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.close_connection = True
                    self.connection.close()
                    return
                time.sleep(stub.delay)
                data = json.dumps(document).encode()
                self.send_response(status)
                for name, value in stub.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815 - names of http.server

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: the tests read `requests`."""

        return Handler


def _record(point: Any) -> dict[str, Any]:
    return {"id": str(point.id), "payload": point.payload, "vector": point.vector}


_NAME = r"/collections/([^/]+)"
ROUTES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("GET", "/collections", StubQdrantServer.list_collections),
    ("GET", "/aliases", StubQdrantServer.list_aliases),
    ("POST", "/collections/aliases", StubQdrantServer.change_aliases),
    ("GET", _NAME, StubQdrantServer.describe),
    ("PUT", _NAME, StubQdrantServer.create_collection),
    ("DELETE", _NAME, StubQdrantServer.delete_collection),
    ("PUT", f"{_NAME}/index", StubQdrantServer.create_index),
    ("PUT", f"{_NAME}/points", StubQdrantServer.upsert),
    ("POST", f"{_NAME}/points", StubQdrantServer.retrieve),
    ("POST", f"{_NAME}/points/delete", StubQdrantServer.delete_points),
    ("POST", f"{_NAME}/points/scroll", StubQdrantServer.scroll),
    ("POST", f"{_NAME}/points/count", StubQdrantServer.count),
    ("POST", f"{_NAME}/points/query", StubQdrantServer.query),
)
