from dataclasses import replace
from math import inf
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address, compact
from bittern.base.errors import TrackerError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.codec.bencode import encode
from bittern.wire.announce import AnnounceReply, AnnounceRequest, Event, ScrapeEntry
from bittern.wire.mse.policy import Encryption
from bittern.wire.tracker_http import (
    MAX_REPLY,
    announce_url,
    parse_announce_reply,
    parse_scrape_reply,
    scrape_url,
)

HASH = InfoHashV1(bytes(range(0xF0, 0x100)) + b"&=%\n")
PEER = PeerId(b"-BZ0100-abcdefghijkl")
REQUEST = AnnounceRequest(HASH, PEER, port=6881, uploaded=1, downloaded=2, left=3)

ADDRESSES = st.builds(lambda ip, port: Address.of(str(ip), port), st.ip_addresses(), st.integers(1, 65535))
BENCODABLE = st.recursive(
    st.binary(max_size=30) | st.integers(-(2**63), 2**63 - 1),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def query_of(url: str) -> dict[str, bytes]:
    pairs = [pair.split("=") for pair in urlsplit(url).query.split("&")]
    assert len(dict(pairs)) == len(pairs)
    return {key: unquote_to_bytes(value) for key, value in pairs}


class TestAnnounceUrl:
    def test_a_plain_announce_says_what_bep_3_and_23_ask_for(self) -> None:
        url = announce_url("http://tracker.example:80/announce", REQUEST)
        assert url.startswith("http://tracker.example:80/announce?info_hash=%F0%F1")
        assert query_of(url) == {
            "info_hash": HASH,
            "peer_id": PEER,
            "port": b"6881",
            "uploaded": b"1",
            "downloaded": b"2",
            "left": b"3",
            "compact": b"1",
            "no_peer_id": b"1",
        }

    def test_everything_optional_is_sent_when_given(self) -> None:
        request = AnnounceRequest(HASH, PEER, 1, 0, 0, 0, Event.STOPPED, numwant=0, key=0xAB, tracker_id=b"\x00&")
        said = query_of(announce_url("https://t/announce", request))
        assert said["event"] == b"stopped"
        assert said["numwant"] == b"0"
        assert said["key"] == b"000000ab"
        assert said["trackerid"] == b"\x00&"

    @pytest.mark.parametrize(
        ("encryption", "said"),
        [
            (Encryption.OFF, {}),
            (Encryption.PREFER, {"supportcrypto": b"1"}),
            (Encryption.REQUIRE, {"supportcrypto": b"1", "requirecrypto": b"1"}),
        ],
    )
    def test_trackers_are_told_whether_we_encrypt(self, encryption: Encryption, said: dict[str, bytes]) -> None:
        query = query_of(announce_url("http://t/announce", replace(REQUEST, encryption=encryption)))
        assert {key: value for key, value in query.items() if key.endswith("crypto")} == said

    def test_the_query_of_the_tracker_is_kept(self) -> None:
        url = announce_url("http://t/announce.php?passkey=a%2Fb&x=1#top", REQUEST)
        assert url.startswith("http://t/announce.php?passkey=a%2Fb&x=1&info_hash=")
        assert "#" not in url

    @given(st.binary(min_size=20, max_size=20), st.binary(min_size=20, max_size=20), st.binary(max_size=20))
    def test_raw_bytes_survive_and_nothing_can_be_smuggled(self, a: bytes, b: bytes, more: bytes) -> None:
        request = AnnounceRequest(InfoHashV1(a), PeerId(b), 1, 2, 3, 4, tracker_id=more)
        url = announce_url("http://t/a b\r\nX: y", request)
        assert all("!" <= char <= "~" for char in url)
        said = query_of(url)
        assert (said["info_hash"], said["peer_id"], said["trackerid"]) == (a, b, more)

    @pytest.mark.parametrize(
        "url",
        [
            "udp://t:80/announce",
            "file:///etc/passwd",
            "announce",
            "http://",
            "http://[",
            "http://t:x/",
            "http://t:99999/",
        ],
    )
    def test_what_is_not_http_is_refused(self, url: str) -> None:
        with pytest.raises(TrackerError, match="not the URL of"):
            announce_url(url, REQUEST)


class TestAnnounceReply:
    def test_the_example_of_bep_23(self) -> None:
        body = b"d8:intervali1800e5:peers12:" + b"\x7f\x00\x00\x01\x1a\xe1" + b"\x0a\x00\x00\x02\x00\x50" + b"e"
        assert parse_announce_reply(body) == AnnounceReply(
            1800, peers=(Address("127.0.0.1", 6881), Address("10.0.0.2", 80))
        )

    @given(st.lists(ADDRESSES, unique=True, max_size=20))
    def test_compact_and_dictionary_peers_say_the_same(self, peers: list[Address]) -> None:
        four, six = compact(peers)
        old = [{"ip": peer.host, "port": peer.port, "peer id": bytes(20)} for peer in peers]
        by_bytes = parse_announce_reply(encode({"peers": four, "peers6": six})).peers
        by_names = parse_announce_reply(encode({"peers": old})).peers
        assert by_names == tuple(peers)
        assert sorted(by_bytes) == sorted(peers)

    def test_all_fields_are_read(self) -> None:
        said = {
            "interval": 900,
            "min interval": 300,
            "complete": 5,
            "incomplete": 0,
            "tracker id": b"\xff\x00",
            "warning message": "slow down",
            "external ip": b"\x0a\x00\x00\x01",
            "peers": b"",
        }
        assert parse_announce_reply(encode(said)) == AnnounceReply(
            900, 300, (), 5, 0, b"\xff\x00", "slow down", "10.0.0.1"
        )

    @pytest.mark.parametrize(
        ("asked", "kept"),
        [(0, 1800), (-1, 1800), (1, 60), (60, 60), (86400, 86400), (2**63 - 1, 86400), (b"x", 1800)],
    )
    def test_the_interval_is_kept_in_bounds(self, asked: object, kept: int) -> None:
        assert parse_announce_reply(encode({"interval": asked})).interval == kept

    def test_a_million_peers_are_cut_to_two_thousand(self) -> None:
        body = encode({"peers": b"".join(number.to_bytes(4) + b"\x00\x50" for number in range(100_000))})
        assert len(parse_announce_reply(body).peers) == 2000

    def test_useless_peers_are_left_out(self) -> None:
        entries = [{"ip": "host.example", "port": 1}, {"ip": "1.2.3.4", "port": 0}, {"ip": "1.2.3.4"}, 7]
        assert parse_announce_reply(encode({"peers": entries})).peers == ()
        twice = (b"\x01\x02\x03\x04\x00\x50") * 2 + b"\x01\x02\x03\x04\x00\x00" + b"rest"
        assert parse_announce_reply(encode({"peers": twice})).peers == (Address("1.2.3.4", 80),)

    @pytest.mark.parametrize(
        ("said", "words", "retry_in"),
        [
            ({"failure reason": "not yours"}, "not yours", None),
            ({"failure reason": "later", "retry in": 5}, "later", 300.0),
            ({"failure reason": "later", "retry in": 2**40}, "later", 86400.0),
            ({"failure reason": "go away", "retry in": "never"}, "go away", inf),
            ({"failure reason": "x", "retry in": -1}, "x", None),
            ({"failure reason": ""}, "refused without a reason", None),
            ({"failure reason": 7, "peers": b"\x01\x02\x03\x04\x00\x50"}, "refused without a reason", None),
        ],
    )
    def test_a_refusal_is_an_error(self, said: dict[str, object], words: str, retry_in: float | None) -> None:
        with pytest.raises(TrackerError) as caught:
            parse_announce_reply(encode(said))
        assert str(caught.value) == words
        assert caught.value.retry_in == retry_in

    def test_long_words_are_cut(self) -> None:
        with pytest.raises(TrackerError) as caught:
            parse_announce_reply(encode({"failure reason": "\u20ac" * 100_000}))
        assert str(caught.value) == "\u20ac" * 500

    @pytest.mark.parametrize("body", [b"", b"<html>404</html>", b"le", b"i1e", b"d" * 1000])
    def test_what_is_not_an_answer_says_so(self, body: bytes) -> None:
        with pytest.raises(TrackerError, match="its answer is not"):
            parse_announce_reply(body)

    def test_an_answer_beyond_the_bound_is_refused(self) -> None:
        with pytest.raises(TrackerError, match="not bencode"):
            parse_announce_reply(b"d5:peers" + encode(bytes(MAX_REPLY)) + b"e")

    @given(st.data())
    def test_every_truncation_is_refused(self, data: st.DataObject) -> None:
        body = encode({"interval": 900, "peers": bytes(12), "external ip": bytes(4)})
        with pytest.raises(TrackerError):
            parse_announce_reply(body[: data.draw(st.integers(0, len(body) - 1))])

    @given(
        st.dictionaries(
            st.sampled_from(
                b"interval|min interval|peers|peers6|complete|tracker id|warning message|external ip"
                b"|retry in|failure reason".split(b"|")
            ),
            BENCODABLE,
        )
    )
    def test_fields_of_any_type_give_clean_values_or_our_error(self, said: dict[bytes, object]) -> None:
        try:
            reply = parse_announce_reply(encode(said))
        except TrackerError:
            assert b"failure reason" in said
            return
        assert 60 <= reply.interval <= 86400
        assert all(0 < peer.port < 65536 for peer in reply.peers)


class TestScrape:
    @pytest.mark.parametrize(
        ("tracker", "scrape"),
        [
            ("http://t/announce", "http://t/scrape?info_hash="),
            ("http://t/x/announce", "http://t/x/scrape?info_hash="),
            ("http://t/announce.php", "http://t/scrape.php?info_hash="),
            ("http://t/announce?x2%0644", "http://t/scrape?x2%0644&info_hash="),
        ],
    )
    def test_the_scrape_url_follows_bep_48(self, tracker: str, scrape: str) -> None:
        url = scrape_url(tracker, [HASH])
        assert url is not None
        assert url.startswith(scrape)
        assert query_of(url.replace("x2%0644&", ""))["info_hash"] == HASH

    @pytest.mark.parametrize("tracker", ["http://t/a", "http://t", "http://t/x?y=announce", "http://t/announce/"])
    def test_a_tracker_without_announce_in_its_name_has_no_scrape(self, tracker: str) -> None:
        assert scrape_url(tracker, [HASH]) is None

    def test_the_state_of_swarms_is_read(self) -> None:
        entry = {"complete": 5, "downloaded": 50, "incomplete": 10}
        body = encode({"files": {HASH: entry, b"short": entry, bytes(20): {"complete": -1}, b"x" * 20: 7}})
        assert parse_scrape_reply(body) == {
            HASH: ScrapeEntry(5, 50, 10),
            InfoHashV1(bytes(20)): ScrapeEntry(0, 0, 0),
        }

    def test_a_refusal_is_an_error(self) -> None:
        with pytest.raises(TrackerError, match="no scrape"):
            parse_scrape_reply(encode({"failure reason": "no scrape"}))

    @given(st.binary(max_size=60))
    def test_junk_raises_only_our_error(self, body: bytes) -> None:
        for parse in (parse_scrape_reply, parse_announce_reply):
            try:
                parse(body)
            except TrackerError as error:
                assert str(error)  # noqa: PT017 - some junk is valid


def test_a_host_in_another_script_is_asked_for_by_its_ascii_name() -> None:
    url = announce_url("http://me:pw@B\u00fccher.example:80/\u00e4/announce", REQUEST)
    assert url.startswith("http://me:pw@xn--bcher-kva.example:80/%C3%A4/announce?info_hash=")


@pytest.mark.parametrize(("said", "seconds"), [(b"i5e", 300.0), (b"1:5", 300.0), (b"5:never", inf), (b"2:-1", None)])
def test_a_refusal_may_say_in_minutes_when_to_come_back(said: bytes, seconds: float | None) -> None:
    with pytest.raises(TrackerError) as caught:
        parse_announce_reply(b"d14:failure reason2:no8:retry in" + said + b"e")
    assert caught.value.retry_in == seconds
