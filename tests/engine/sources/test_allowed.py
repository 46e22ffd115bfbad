"""A private torrent leaks to nobody, whatever the settings say."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.codec.bencode import encode
from bittern.codec.info import Info
from bittern.engine.settings import EngineSettings
from bittern.engine.sources.allowed import sources_for
from bittern.engine.swarm.peerbook import Source

NEEDS = {
    Source.TRACKER: "use_trackers",
    Source.DHT: "use_dht",
    Source.PEX: "use_pex",
    Source.LSD: "use_lsd",
}


def info(private: object = None) -> Info:
    said = {"name": "a", "length": 1, "piece length": 16384, "pieces": bytes(20)}
    return Info.parse(encode(said if private is None else {**said, "private": private}))


def test_a_public_torrent_uses_everything() -> None:
    assert sources_for(info(), EngineSettings()) == set(Source)


def test_a_magnet_link_uses_everything_until_its_metadata_is_known() -> None:
    assert sources_for(None, EngineSettings()) == set(Source)


def test_a_private_torrent_has_its_trackers_the_user_and_who_comes() -> None:
    expected = {Source.TRACKER, Source.MANUAL, Source.INCOMING}
    assert sources_for(info(private=1), EngineSettings()) == expected


@pytest.mark.parametrize("value", [0, b"1", [1]])
def test_only_the_number_one_makes_it_private(value: object) -> None:
    assert Source.DHT in sources_for(info(private=value), EngineSettings())


@given(st.booleans(), st.dictionaries(st.sampled_from(sorted(NEEDS.values())), st.booleans()))
def test_each_switch_turns_off_its_source_and_no_other(private: bool, switches: dict[str, bool]) -> None:  # noqa: FBT001 - drawn
    metainfo = info(private=int(private))
    everything = sources_for(metainfo, EngineSettings())
    some = sources_for(metainfo, replace(EngineSettings(), **switches))  # type: ignore[arg-type]  # all are booleans
    off = {source for source, name in NEEDS.items() if not switches.get(name, True)}
    assert some == everything - off
