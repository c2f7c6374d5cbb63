"""A page that follows a running search: served on this machine alone, read from the study file."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from accelsim.cosearch.run import load_study
from accelsim.errors import AccelsimError
from accelsim.explorer.page import html, page_data

LOOPBACK = "127.0.0.1"
SILENCE_S = 10
"""Seconds that a client may say nothing."""


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


def data(study: Path) -> dict[str, Any]:
    """The study as it is now, no design drawn in detail."""
    return page_data(load_study(study), live=True)
