"""A session that takes long to open, and a user who does not wait."""

import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from bittern.cli.exit_codes import ExitCode
from bittern.cli.main import main
from tests.session.rig import fill, write_torrent

LINK = "magnet:?xt=urn:btih:" + "ab" * 20


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("get a.torrent -d .", ExitCode.UNFINISHED),
        (f"get {LINK} -d . --metadata-only", ExitCode.UNFINISHED),
        (f"files {LINK}", ExitCode.UNFINISHED),
        ("seed a.torrent .", ExitCode.OK),
    ],
)
def test_who_interrupts_while_a_list_of_the_ip_filter_is_awaited_waits_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, code: ExitCode
) -> None:
    """The server of the list takes the question and never answers it."""
    monkeypatch.chdir(tmp_path)
    source = fill(tmp_path / "a.bin", 1000)
    write_torrent(source, tmp_path / "a.torrent")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def interrupt() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                os.kill(os.getpid(), signal.SIGINT)
                connection.recv(1000)  # until the other side has enough

        thread = threading.Thread(target=interrupt)
        thread.start()
        words = [*command.split(), "--listen", "127.0.0.1", "--port", "0"]
        assert main([*words, "--ip-filter", f"http://127.0.0.1:{server.getsockname()[1]}/list"]) == code
        thread.join()
