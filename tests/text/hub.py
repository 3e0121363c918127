"""A double of the hub: an HTTP server on this machine with repositories in memory."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c0ffee" + "0" * 34
Repositories = Mapping[str, Mapping[str, bytes]]  # "models/ORG/NAME" or "datasets/ORG/NAME"


@contextmanager
def serve_hub(repositories: Repositories) -> Iterator[str]:
    """The address of a hub with these repositories, each at one commit."""

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0].removeprefix("/")
            place, _, file = path.partition("/resolve/")
            if file:
                kind = "" if place.startswith("datasets/") else "models/"
                content = repositories.get(kind + place, {}).get(file.partition("/")[2])
                return self.answer(404, b"", "EntryNotFound") if content is None else self.answer(200, content)
            _, kind, org, name, *rest = [*path.split("/"), "", "", ""]
            repository = repositories.get(f"{kind}/{org}/{name}")
            if repository is None:
                return self.answer(404, b"{}", "RepoNotFound")
            if rest[0] == "revision" and rest[1] not in ("main", COMMIT):
                return self.answer(404, b"{}", "RevisionNotFound")
            if rest[0] == "tree":
                listed = [
                    {"type": "file", "path": file, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                    for file, content in repository.items()
                ]
                return self.answer(200, json.dumps(listed).encode())
            files = [{"rfilename": file, "size": len(content)} for file, content in repository.items()]
            return self.answer(200, json.dumps({"id": f"{org}/{name}", "sha": COMMIT, "siblings": files}).encode())

        do_HEAD = do_GET  # noqa: N815

        def answer(self, status: int, content: bytes, error: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            if error:
                self.send_header("X-Error-Code", error)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
