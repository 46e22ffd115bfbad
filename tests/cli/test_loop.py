import asyncio
import gc
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


def test_what_was_imported_is_not_looked_at_by_collections_while_something_runs() -> None:
    async def work() -> tuple[int, int]:
        return gc.get_freeze_count(), len(gc.get_objects())

    frozen, others = run(work())
    assert frozen > 10 * others
    assert gc.get_freeze_count() == 0


async def test_a_signal_sets_the_event_and_says_farewell(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    for number in (signal.SIGINT, signal.SIGTERM):
        with interrupts("farewell") as stop:
            assert not stop.is_set()
            signal.raise_signal(number)
            await asyncio.wait_for(stop.wait(), 5)
    assert signal.getsignal(signal.SIGINT) is before
    assert capsys.readouterr().err == "farewell\nfarewell\n"


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no such signal")
async def test_the_end_of_the_terminal_counts_once_and_not_where_it_is_ignored() -> None:
    before = signal.getsignal(signal.SIGHUP)
    try:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with interrupts("") as stop:
            for _ in range(2):  # the second does not end this process
                signal.raise_signal(signal.SIGHUP)
                await asyncio.wait_for(stop.wait(), 5)
            await asyncio.sleep(0)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
        with interrupts("") as stop:
            signal.raise_signal(signal.SIGHUP)
            await asyncio.sleep(0)
            assert not stop.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


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
