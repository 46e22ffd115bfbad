"""The session's own node: it begins when it is needed, begins with whom it can, and comes back in the next run."""

import asyncio
import logging
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bittern import Session
from bittern.base.address import Address
from bittern.base.errors import SessionError
from bittern.engine.dht.bound_ids import is_bound
from bittern.io.proxying import Purpose
from bittern.session import node

from .nodes import announced, beginning_at, routers
from .rig import PIECE, eventually, fill, settings, torrent


async def test_nodes_are_remembered_from_run_to_run(tmp_path: Path) -> None:
    async with routers() as tables:
        ours = beginning_at(tables[0], tmp_path)
        async with Session(ours) as session:
            await session.add("ab" * 20)
            await announced(tables)
        for table in tables:
            table.nodes[0]._answers.peers.expire(1e12)
        tables[0].close()  # the router
        async with Session(replace(ours, dht_routers=())) as session:
            await session.add("cd" * 20)
            await announced(tables[1:])


async def test_the_first_id_is_bound_to_the_address_that_a_tracker_told(tmp_path: Path) -> None:
    """BEP 24, BEP 42."""
    async with routers() as tables, Session(beginning_at(tables[0], tmp_path)) as session:
        core = session._open().surroundings.runtime.core
        core._shared.ourselves.told("8.8.4.4", "tracker.example")
        assert core.presence.our_addresses == (Address("8.8.4.4", session.port),)
        await session.add("ab" * 20)
        await announced(tables)
        known = [entry.contact.id for table in tables for entry in table.nodes[0].table.closest(bytes(20), 50)]
        assert any(is_bound(each, "8.8.4.4") for each in known)


async def test_nodes_that_a_torrent_file_names_are_a_beginning(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", PIECE))
    async with routers() as tables, Session(settings(tmp_path, dht=True)) as session:
        nodes = (("127.0.0.1", tables[1].ports[False]), ("nobody.invalid", 1), ("169.254.169.254", 1))
        await session.add(replace(meta, nodes=nodes), tmp_path)
        await announced(tables)


async def test_nodes_in_the_local_network_are_asked_only_from_there(tmp_path: Path) -> None:
    """A torrent file is somebody else's word: it makes nobody send anything to services of this machine."""
    meta = torrent(fill(tmp_path / "a.bin", PIECE))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        service.bind(("127.0.0.1", 0))
        service.setblocking(False)
        nodes = (("127.0.0.1", service.getsockname()[1]), ("localhost", service.getsockname()[1]))
        everywhere = settings(tmp_path, dht=True, listen=(), use_lsd=False)
        async with Session(everywhere) as session:
            await session.add(replace(meta, nodes=nodes), tmp_path)
            await asyncio.sleep(1.0)
        with pytest.raises(BlockingIOError):
            service.recv(100)


async def test_a_private_torrent_names_no_nodes(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", PIECE))
    private = replace(meta, info=replace(meta.info, private=True))
    async with routers() as tables, Session(settings(tmp_path, dht=True)) as session:
        await session.add(replace(private, nodes=(("127.0.0.1", tables[1].ports[False]),)), tmp_path)
        await asyncio.sleep(1.0)
        assert session.dht.nodes == 0


async def test_without_a_network_there_is_one_quiet_line_and_nothing_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(node, "RETRY_SECONDS", 0.1)
    caplog.set_level(logging.INFO, "bittern")
    lost = settings(tmp_path, dht=True, dht_routers=("one.invalid:1", "two.invalid:2"))
    async with Session(lost) as session:
        await session.add("ab" * 20)
        await asyncio.sleep(0.5)
        began = time.monotonic()
    assert time.monotonic() - began < 10.0
    said = [record for record in caplog.records if record.name == "bittern.dht"]
    assert [record.levelno for record in said] == [logging.INFO]


async def test_a_network_that_comes_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "RETRY_SECONDS", 0.1)
    ask, tries = socket.getaddrinfo, list[object]()

    def at_last(*wanted: object) -> object:
        tries.append(wanted)
        if len(tries) < 3:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return ask(*wanted)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(socket, "getaddrinfo", at_last)
    async with routers() as tables, Session(beginning_at(tables[0], tmp_path)) as session:
        await session.add("ab" * 20)
        await announced(tables)
    assert len(tries) >= 3


async def test_two_sessions_of_one_state_folder_know_the_same_nodes_and_go_by_different_ids(tmp_path: Path) -> None:
    async with routers() as tables:
        ours = beginning_at(tables[0], tmp_path)
        async with Session(ours) as session:
            await session.dht.lookup("ab" * 20)
            (first,) = [node.id for node in (await session._table()).nodes]
        alone = replace(ours, dht_routers=())
        async with Session(alone) as one, Session(alone) as other:
            assert [node.id for node in (await one._table()).nodes] == [first]
            assert [node.id for node in (await other._table()).nodes] != [first]
            for session in (one, other):
                assert (await session.dht.lookup("ab" * 20)).answered
        async with Session(alone) as session:
            assert [node.id for node in (await session._table()).nodes] == [first]
            assert (await session.dht.lookup("ab" * 20)).answered


async def test_what_is_known_is_written_down_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "KEEP_SECONDS", 0.1)
    async with routers() as tables, Session(beginning_at(tables[0], tmp_path)) as session:
        await session.add("ab" * 20)
        await announced(tables)
        await asyncio.sleep(0.5)
        assert await session._open().foundation.store.fact("dht") is not None


async def test_a_saved_state_that_makes_no_sense_is_left_out(tmp_path: Path) -> None:
    async with routers() as tables:
        ours = beginning_at(tables[0], tmp_path)
        async with Session(ours) as session:
            await session._open().foundation.store.keep_fact("dht", "nonsense")
        async with Session(ours) as session:
            await session.add("ab" * 20)
            await announced(tables)


async def test_a_session_that_is_closed_while_it_begins_leaves_nobody_in_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Session(settings(tmp_path, dht=True)) as session:
        own, store = session._open().node, session._open().foundation.store
        assert own is not None
        read, goes_on = store.fact, asyncio.Event()

        async def slow(name: str) -> str | None:
            await goes_on.wait()
            return await read(name)

        monkeypatch.setattr(store, "fact", slow)
        beginning = asyncio.create_task(own.table())
        await asyncio.sleep(0)
        await own.close()
        goes_on.set()
        with pytest.raises(SessionError, match="closed"):
            await beginning
        assert own._table is None


async def test_who_a_peer_says_is_a_node_is_asked_first(tmp_path: Path) -> None:
    async with routers() as tables, Session(settings(tmp_path, dht=True)) as session:
        await session._table()
        own = session._open().node
        assert own is not None
        own.meet(Address("127.0.0.1", tables[0].ports[False]))
        own.meet(Address("127.0.0.1", 9))  # nobody
        await eventually(lambda: own.nodes > 1)
        assert Address("127.0.0.1", 9) not in {entry.contact.address for entry in (await own.table()).nodes[0].table}


async def test_peers_tell_each_other_of_their_nodes(tmp_path: Path) -> None:
    """Who knows one peer is part of the table, without any router."""
    meta = torrent(fill(tmp_path / "a.bin", PIECE))
    private = replace(meta.info, private=True)
    for number, (info, count) in enumerate(((meta.info, 1), (private, 0))):
        here, there = tmp_path / f"{number}", tmp_path / f"{number}-other"
        async with Session(settings(here, dht=True)) as one, Session(settings(there, dht=True)) as other:
            await (await one.add(replace(meta, info=info), tmp_path)).completed()
            got = await other.add(replace(meta, info=info), there, peers=[f"127.0.0.1:{one.port}"])
            await got.completed()
            if count:
                await eventually(lambda: one.dht.nodes == other.dht.nodes == 1)
            else:
                await asyncio.sleep(1.0)
                assert (one.dht.nodes, other.dht.nodes) == (0, 0)


async def test_who_is_anonymous_goes_by_a_new_id_each_time_and_keeps_none(tmp_path: Path) -> None:
    async with routers() as tables:
        ours = beginning_at(tables[0], tmp_path)
        met = set[bytes]()
        for anonymous in (False, True, True, False):
            async with Session(replace(ours, anonymous=anonymous)) as session:
                await session.dht.lookup("ab" * 20)
                [own] = [node.id for node in (await session._table()).nodes]
                met.add(own)
        assert len(met) == 3


async def test_a_node_that_begins_while_it_is_closed_leaves_its_id_to_others(tmp_path: Path) -> None:
    async with Session(settings(tmp_path / "state", dht=True, dht_routers=())) as session:
        parts = session._open()
        assert parts.node is not None
        own = node.OwnNode(parts.surroundings, parts.foundation.ports.of(Purpose.DHT))
        beginning = asyncio.create_task(own.table())
        await asyncio.sleep(0)  # it asks for its lock
        await own.close()
        with pytest.raises(SessionError, match="closed"):
            await beginning
        (await parts.surroundings.store.lock(b"", "dht")).release()
