import asyncio
import signal
import subprocess
import sys

import pytest

from bittern.cli.loop import interrupts, run


def test_what_runs_gives_its_value() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 3

    assert run(work()) == 3


async def test_a_signal_sets_the_event_and_says_farewell(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    for number in (signal.SIGINT, signal.SIGTERM):
        with interrupts("farewell") as stop:
            assert not stop.is_set()
            signal.raise_signal(number)
            await asyncio.wait_for(stop.wait(), 5)
    assert signal.getsignal(signal.SIGINT) is before
    assert capsys.readouterr().err == "farewell\nfarewell\n"


def test_the_second_signal_ends_the_process_at_once() -> None:
    script = (
        "import asyncio, signal\n"
        "from bittern.cli.loop import interrupts, run\n"
        "async def work():\n"
        "    with interrupts('') as stop:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "        await stop.wait()\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "        await asyncio.sleep(60)\n"
        "run(work())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (130, "bittern: interrupted twice\n")
