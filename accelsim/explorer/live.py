"""A page that follows a running search: served on this machine alone, read from the study file."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from accelsim.cosearch.run import load_study
from accelsim.errors import AccelsimError
from accelsim.explorer.page import html, page_data

LOOPBACK = "127.0.0.1"
SILENCE_S = 10
"""Seconds that a client may say nothing."""

PAUSE_S = 0.3
YOUNG_S = 10
"""Seconds after which a file that has appeared must be a study."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Of clients that go away nobody is told."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(*_)


def serve(study: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server on loopback of the page at / and its data at /data.json; call `serve_forever` on it.

    `port` 0 takes a free one (`server_port`). Raises AccelsimError where the study cannot be read.
    """
    data(study)

    class Handler(BaseHTTPRequestHandler):
        timeout = SILENCE_S

        def do_GET(self) -> None:
            host = self.headers.get("Host", LOOPBACK).partition(":")[0]
            if host not in (LOOPBACK, "localhost"):  # somebody's page, whose name leads here
                self.send_error(403)
                return
            try:
                if self.path == "/":
                    self._send(html(data(study)).encode(), "text/html; charset=utf-8")
                elif self.path == "/data.json":
                    self._send(json.dumps(data(study), allow_nan=False).encode(), "application/json")
                else:
                    self.send_error(404)
            except AccelsimError as fault:
                self.send_error(503, explain=str(fault))

        def _send(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Requests are no news."""

    return _Server((LOOPBACK, port), Handler)


def wait_for(study: Path) -> None:
    """Wait until a study is there, however long.

    Raises AccelsimError where its folder is not there, or where it has come and is none.
    """
    if study.exists():
        return
    if not study.absolute().parent.is_dir():
        raise AccelsimError(f"{study}: there is no folder {study.parent}")
    while not study.exists():
        time.sleep(PAUSE_S)
    for _ in range(int(YOUNG_S / PAUSE_S)):  # who makes it may not have come far
        with suppress(AccelsimError):
            data(study)
            return
        time.sleep(PAUSE_S)
    data(study)


def data(study: Path) -> dict[str, Any]:
    """The study as it is now, no design drawn in detail."""
    return page_data(load_study(study), live=True)
