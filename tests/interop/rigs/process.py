"""Child processes that never outlive the test that started them."""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self


class RigError(Exception):
    """A partner program did not do what the rig needs; carries the end of its log."""


class Running:
    """One child process with its output in a log file; ended when the `with` block ends.

    Standard input is a pipe: a driver of ours reads commands there, and its end tells it to close down.
    Standard output goes to the log too, unless `talks` is set: then `read_line` reads it.
    """

    def __init__(
        self,
        command: Sequence[str | os.PathLike[str]],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        talks: bool = False,
    ) -> None:
        self.command = [os.fspath(part) for part in command]
        self.log = log
        with log.open("ab") as output:
            self._child: subprocess.Popen[bytes] = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if talks else output,
                stderr=output,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                bufsize=0,  # so that select() sees every byte that is there
                start_new_session=True,  # so that stop() reaches the children too
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for a signal."""
        return self._child.poll()

    def say(self, line: str) -> None:
        """Send one line to its standard input."""
        _open(self._child.stdin).write(line.encode() + b"\n")

    def end_input(self) -> None:
        """Close its standard input: a driver of ours closes down in order."""
        _open(self._child.stdin).close()

    def read_line(self, timeout: float) -> str:
        """The next line of its standard output; raises RigError when none comes within `timeout` seconds."""
        pipe = _open(self._child.stdout)
        if not select.select([pipe], [], [], timeout)[0]:
            raise self.failure(f"said nothing for {timeout:g} s")
        line = pipe.readline()
        if not line:
            self.wait(10)
            raise self.failure("ended without a word")
        return line.decode().strip()

    def wait(self, timeout: float) -> int:
        """Its exit code, within `timeout` seconds; raises RigError when it still runs."""
        try:
            return self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise self.failure(f"still runs after {timeout:g} s") from None

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._child.send_signal(signal.SIGINT)

    def terminate(self) -> None:
        """Ask it to end, as a service manager does."""
        self._child.terminate()

    def stop(self, patience: float = 10.0) -> None:
        """End it: politely first, by force after `patience` seconds, and whatever it has started."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(patience)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()

    def failure(self, what: str) -> RigError:
        """An error that names the program and quotes the end of its log."""
        tail = self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""
        code = self._child.poll()
        state = "running" if code is None else f"exit {code}"
        return RigError(f"{' '.join(self.command)}: {what} ({state})\n{tail}")


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    """The pipe, which `Running` made."""
    assert pipe is not None, "this process was started without `talks`"
    return pipe


def wait_until(condition: Callable[[], bool], timeout: float, every: float = 0.05) -> bool:
    """Poll until `condition()` holds; False after `timeout` seconds."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True
