"""An IPv4 address mapped into IPv6 (::ffff:1.2.3.4) is that IPv4 address, whoever names it: nobody is two."""

from ipaddress import ip_address

import pytest

from bittern.base.address import Address, parse_compact
from bittern.codec.bencode import encode
from bittern.codec.ip_ranges import IpRanges
from bittern.session.bans import numeric
from bittern.wire.extended import ExtendedHandshake
from bittern.wire.holepunch import Holepunch
from bittern.wire.krpc import unpack_contacts
from bittern.wire.tracker_http import parse_announce_reply
from bittern.wire.ut_pex import PexMessage

PLAIN = Address("1.2.3.4", 80)
MAPPED = ip_address("::ffff:1.2.3.4").packed
COMPACT = MAPPED + b"\0P"


def test_by_trackers() -> None:
    reply = parse_announce_reply(encode({"interval": 1800, "peers6": COMPACT, "external ip": MAPPED}))
    assert (reply.peers, reply.external_ip) == ((PLAIN,), "1.2.3.4")
    listed = {"interval": 1800, "peers": [{"ip": "::ffff:1.2.3.4", "port": 80}, {"ip": "1.2.3.4", "port": 80}]}
    assert parse_announce_reply(encode(listed)).peers == (PLAIN,)


def test_by_peers() -> None:
    message = PexMessage.parse(encode({"added": PLAIN.compact(), "added6": COMPACT}))
    assert list(message.added) == [PLAIN]
    said = ExtendedHandshake.parse(encode({"yourip": MAPPED, "ipv6": MAPPED}))
    assert (said.your_ip, said.ipv6) == ("1.2.3.4", "1.2.3.4")


def test_by_nodes_who_are_of_one_family_and_not_two() -> None:
    assert unpack_contacts(bytes(20) + COMPACT, ipv6=True) == []
    assert parse_compact(COMPACT, ipv6=True) == [PLAIN]


@pytest.mark.parametrize("text", ["[::ffff:1.2.3.4]:80", "[::FFFF:102:304]:80"])
def test_by_the_user(text: str) -> None:
    assert Address.parse(text) == PLAIN
    assert numeric("::ffff:1.2.3.4") == PLAIN.host
    assert "::ffff:1.2.3.4" in IpRanges.of(["1.2.3.0/24"])
    assert "1.2.3.4" in IpRanges.of(["::ffff:1.2.3.4"])


def test_by_who_introduces_others() -> None:
    said = Holepunch.parse(b"\1\1" + COMPACT + bytes(4))
    assert said is not None
    assert said.address == PLAIN
