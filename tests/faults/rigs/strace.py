"""System calls that fail, or kill, at the chosen moment: strace's injection."""

import shutil
import subprocess
from functools import cache
from pathlib import Path


@cache
def missing() -> str | None:
    """What keeps this machine from injecting faults into system calls, or None."""
    if shutil.which("strace") is None:
        return "`strace` is not installed"
    trial = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=getpid:error=EPERM", "true"]
    if subprocess.run(trial, capture_output=True, check=False).returncode:
        return "`strace` may not trace here"
    return None


def killed_at(call: str, log: Path, *paths: Path) -> tuple[str, ...]:
    """What goes before a command that is to be killed as it begins its first `call`, on one of `paths` if any."""
    return _inject(f"{call}:signal=SIGKILL:when=1", call, log, *paths)


def failing(call: str, error: str, log: Path, *paths: Path, when: str = "1+") -> tuple[str, ...]:
    """What goes before a command whose calls on `paths` (all where none is named) fail.

    Args:
        call: name of the system call.
        error: as EIO.
        log: where the calls are noted.
        paths: files.
        when: which of the calls, as strace has it: `2` the second, `2+` all from it on.
    """
    return _inject(f"{call}:error={error}:when={when}", call, log, *paths)


def _inject(fault: str, call: str, log: Path, *paths: Path) -> tuple[str, ...]:
    only = [word for path in paths for word in ("-P", str(path))]
    # Only these calls stop then, and the others cost nothing; but no signal comes so (strace 6.1).
    filtered = () if "signal=" in fault else ("--seccomp-bpf",)
    return ("strace", "-f", *filtered, "-qq", "-o", str(log), *only, "-e", f"trace={call}", "-e", f"inject={fault}")
