"""Web servers as partners: nginx, and the one that comes with Python, which knows no ranges."""

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.interop.rigs.place import LOOPBACK, Place
from tests.interop.rigs.process import Running, wait_until

_CONFIG = """
daemon off; worker_processes 1; pid {work}/nginx.pid; error_log stderr; {user}
events {{ worker_connections 256; }}
http {{
  access_log {work}/access.log; sendfile on; gzip on; gzip_types *; default_type application/octet-stream;
  client_body_temp_path {work}/body; proxy_temp_path {work}/proxy; fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
  server {{ listen {address}:{port}; root {folder}; {more} }}
}}
"""


def missing_nginx() -> str | None:
    """The program, where it is not installed."""
    return None if shutil.which("nginx") else "nginx is not installed"


@contextmanager
def nginx(folder: Path, work: Path, more: str = "", place: Place = LOOPBACK) -> Iterator[str]:
    """Let nginx serve `folder`; its URL, with a slash at the end.

    Args:
        folder: what it serves.
        work: where it keeps its things.
        more: lines of its server block.
        place: where it is.
    """
    work.mkdir(parents=True, exist_ok=True)
    port = place.free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    config = _CONFIG.format(work=work, user=user, address=place.address, port=port, folder=folder, more=more)
    (work / "nginx.conf").write_text(config)
    command = [*place.enter, "nginx", "-p", str(work), "-c", str(work / "nginx.conf"), "-e", "stderr"]
    with _serving(command, work / "nginx.log", place, port) as url:
        yield url


@contextmanager
def http_server(folder: Path, work: Path, place: Place = LOOPBACK) -> Iterator[str]:
    """`python -m http.server` serves `folder`; its URL."""
    work.mkdir(parents=True, exist_ok=True)
    port = place.free_port()
    program = [sys.executable, "-m", "http.server", str(port), "--bind", place.address, "--directory", str(folder)]
    with _serving([*place.enter, *program], work / "http.server.log", place, port) as url:
        yield url


@contextmanager
def _serving(command: list[str], log: Path, place: Place, port: int) -> Iterator[str]:
    with Running(command, log) as running:

        def listens() -> bool:
            with suppress(OSError), place.open(lambda: socket.create_connection((place.address, port), 1)):
                return True
            return False

        if not wait_until(listens, 20):
            raise running.failure("does not listen")
        yield f"http://{place.address}:{port}/"
