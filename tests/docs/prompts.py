"""Sessions at a shell as pages show them: commands behind `$ `, and below each what it prints.

In what is printed `...` stands for anything, and on a line of its own for any lines. A command may fail where the page
shows its exit status next (`$ echo $?`).
"""

import io
import re
import shlex
import subprocess
from contextlib import redirect_stderr, redirect_stdout

from bittern.cli.main import main

SECONDS = 60
_QUOTED = re.compile(r"""'[^']*'|"[^"$`]*\"""")
_FOR_THE_SHELL = re.compile(r"[|&;<>$`*?(){}\\]")


def shown(text: str) -> list[str]:
    """Run a session in the current folder; where what is printed differs from the page, both."""
    wrong, status = [], 0
    commands = parsed(text)
    following = [command for command, _ in commands[1:]] + [""]
    for (command, expected), after in zip(commands, following, strict=True):
        if command == "echo $?":
            status, output = 0, f"{status}\n"
        else:
            status, output = run(command)
        if not alike(expected, output):
            wrong.append(f"{command}\n--- printed:\n{output}--- the page:\n{expected}")
        if status and after != "echo $?":
            wrong.append(f"{command}\n--- failed with status {status}:\n{output}")
    return wrong


def run(command: str) -> tuple[int, str]:
    """The exit status of a command, and what it prints; bittern runs in this process, which is many times faster."""
    if command.startswith("bittern ") and not _FOR_THE_SHELL.search(_QUOTED.sub("", command)):
        printed = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
        with redirect_stdout(printed), redirect_stderr(printed):
            status = main(shlex.split(command, comments=True)[1:])
        return status, printed.buffer.getvalue().decode()
    words = ["bash", "-c", command]
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False
    )
    return done.returncode, done.stdout


def parsed(text: str) -> list[tuple[str, str]]:
    """Each command of a session, with what it shall print."""
    commands: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], ""))
        elif commands:
            command, expected = commands[-1]
            if command.endswith("\\") and line.startswith("> "):
                commands[-1] = (f"{command}\n{line[2:]}", expected)
            else:
                commands[-1] = (command, f"{expected}{line}\n")
    return commands


def alike(expected: str, printed: str) -> bool:
    """Whether that was printed; ends of lines do not count."""
    pattern = re.escape("\n".join(line.rstrip() for line in expected.splitlines()))
    pattern = re.sub(r"(?:(?<=\n)|^)\\\.\\\.\\\.(?:\\?\n|$)", r"(?:.*\n)*?", pattern)
    pattern = pattern.replace(r"\.\.\.", ".*?")
    return re.fullmatch(rf"{pattern}\n*", "\n".join(line.rstrip() for line in printed.splitlines()) + "\n") is not None
