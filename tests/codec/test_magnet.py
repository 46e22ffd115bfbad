import string
from base64 import b32encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import MagnetError
from bittern.base.ids import InfoHashV1, InfoHashV2
from bittern.codec.magnet import MAX_ITEMS, MAX_LENGTH, MAX_SELECTED, Magnet, magnet_of_hash

V1 = InfoHashV1(bytes(range(20)))
V2 = InfoHashV2(bytes(range(32)))
BTIH = f"magnet:?xt=urn:btih:{V1}"

urls = st.text(string.ascii_letters + string.digits + ":/?&=+%é._-", max_size=20).map("http://h/{}".format)
magnets = st.builds(
    Magnet,
    info_hash_v1=st.just(V1),
    info_hash_v2=st.none() | st.just(V2),
    name=st.none() | st.text(string.printable.replace("/", ""), max_size=9).map("n{}.x".format).filter(
        lambda name: name.isprintable() and not set(name) & set(":\\")
    ),
    trackers=st.lists(urls, max_size=4, unique=True).map(tuple),
    web_seeds=st.lists(urls, max_size=2, unique=True).map(tuple),
    peers=st.lists(st.sampled_from(["1.2.3.4:5", "[::1]:80", "host.example:65535"]), unique=True).map(tuple),
    select_only=st.sets(st.integers(0, 40)).map(sorted).map(tuple),
    exact_length=st.none() | st.integers(0, 2**59),
    exact_sources=st.lists(urls, max_size=2, unique=True).map(tuple),
)  # fmt: skip


@given(magnets)
def test_parse_is_the_inverse_of_to_uri(magnet: Magnet) -> None:
    assert Magnet.parse(magnet.to_uri()) == magnet


tails = st.text(string.printable) | st.text("&=%.-,0123soxtdnpe:")


@given(st.text() | tails.map(f"{BTIH}&{{}}".format))
def test_what_was_parsed_comes_back_unchanged_from_its_link(text: str) -> None:
    try:
        magnet = Magnet.parse(text)
    except MagnetError:
        return
    assert Magnet.parse(magnet.to_uri()) == magnet


def test_every_parameter_is_read() -> None:
    link = (
        f"magnet:?xt=urn:btih:{V1}&xt=urn:btmh:1220{V2}&dn=a+name%2Bmore&xl=123"
        "&tr=http%3A%2F%2Ft.example%2Fannounce%3Fkey%3D1%26x%3D2&tr=udp://u.example:80"
        "&ws=http://seed.example/f/&x.pe=10.0.0.1:6881&x.pe=[2001:db8::1]:51413&x.pe=peer.example:1"
        "&so=0,2,4-6&xs=http://h/x.torrent&as=http://h/y.torrent&kt=ignored"
    )
    assert Magnet.parse(link) == Magnet(
        info_hash_v1=V1,
        info_hash_v2=V2,
        name="a name+more",
        trackers=("http://t.example/announce?key=1&x=2", "udp://u.example:80"),
        web_seeds=("http://seed.example/f/",),
        peers=("10.0.0.1:6881", "[2001:db8::1]:51413", "peer.example:1"),
        select_only=(0, 2, 4, 5, 6),
        exact_length=123,
        exact_sources=("http://h/x.torrent", "http://h/y.torrent"),
    )


@pytest.mark.parametrize(
    "topic",
    [
        f"urn:btih:{V1}",
        f"urn:btih:{str(V1).upper()}",
        f"URN:BTIH:{V1}",
        f"urn%3Abtih%3A{V1}",
        f"urn:btih:{b32encode(V1).decode()}",
        f"urn:btih:{b32encode(V1).decode().lower()}",
    ],
)
def test_spellings_of_a_v1_info_hash(topic: str) -> None:
    assert Magnet.parse(f"magnet:?xt={topic}").info_hash_v1 == V1
    assert Magnet.parse(f" MAGNET:?dn=x&amp;xt.1={topic}&xt=urn:sha1:ABC\n").info_hash_v1 == V1


@pytest.mark.parametrize(
    ("digits", "link"),
    [
        (str(V1), Magnet(info_hash_v1=V1)),
        (str(V1).upper(), Magnet(info_hash_v1=V1)),
        (b32encode(V1).decode(), Magnet(info_hash_v1=V1)),
        (b32encode(V1).decode().lower(), Magnet(info_hash_v1=V1)),
        (str(V2), Magnet(info_hash_v2=V2)),
        *((text, None) for text in ("", "a.torrent", str(V1)[:-1], f"{V1}0", f"{V2}0", " " + str(V1)[1:], "1" * 32)),
        ("é" * 40, None),
    ],
)
def test_a_bare_hash_is_the_barest_link(digits: str, link: Magnet | None) -> None:
    assert magnet_of_hash(digits) == link


def test_every_hash_of_a_link_must_be_the_torrents() -> None:
    other1, other2 = InfoHashV1(bytes(20)), InfoHashV2(bytes(32))
    one, two, both = Magnet(V1), Magnet(info_hash_v2=V2), Magnet(V1, V2)
    assert [link.leads_to(V1, None) for link in (one, two, both)] == [True, False, False]
    assert [link.leads_to(None, V2) for link in (one, two, both)] == [False, True, False]
    assert [link.leads_to(V1, V2) for link in (one, two, both)] == [True, True, True]
    assert [link.leads_to(V1, other2) for link in (one, two, both)] == [True, False, False]
    assert [link.leads_to(other1, V2) for link in (one, two, both)] == [False, True, False]


def test_a_torrent_may_be_at_web_addresses_only() -> None:
    sources = "&xs=HTTPS://h/a&xs=urn:sha1:ABC&xs=ftp://h/a&as=http://h/b&xs=dchub://h/c"
    assert Magnet.parse(BTIH + sources).torrent_urls == ("HTTPS://h/a", "http://h/b")


def test_a_v2_info_hash_goes_on_the_wire_truncated() -> None:
    magnet = Magnet.parse(f"magnet:?xt=urn:btmh:1220{str(V2).upper()}")
    assert (magnet.info_hash_v1, magnet.info_hash_v2) == (None, V2)
    assert magnet.wire_hash == V2.truncated()
    assert Magnet.parse(f"{BTIH}&xt=urn:btmh:1220{V2}").wire_hash == V1


@pytest.mark.parametrize(
    "link",
    [
        "",
        "magnet:",
        "magnet:?",
        "magnet:?dn=x",
        "magnet:?xt=",
        "magnet:?xt=urn:sha1:ABC",
        f"http://h/?xt=urn:btih:{V1}",
        f"magnet:xt=urn:btih:{V1}",
        f"magnet:?xt=urn:btih:{V1}0",
        "magnet:?xt=urn:btih:" + "g" * 40,
        "magnet:?xt=urn:btih:" + "1" * 32,
        "magnet:?xt=urn:btih:" + "é" * 32,
        "magnet:?xt=urn:btih:" + "A" * 31 + "=",
        "magnet:?xt=urn:btih:" + " 0" * 20,
        f"magnet:?xt=urn:btmh:{V2}",
        f"magnet:?xt=urn:btmh:1120{V2}",
        f"magnet:?xt=urn:btmh:1220{V1}",
        f"{BTIH}&xt=urn:btih:{'0' * 40}",
        f"{BTIH}&xt=urn:btmh:1220",
        f"{BTIH}&so=0-{MAX_SELECTED}",
        BTIH + "&dn=" + "x" * MAX_LENGTH,
    ],
)
def test_links_without_one_clear_torrent_are_refused(link: str) -> None:
    with pytest.raises(MagnetError):
        Magnet.parse(link)


@pytest.mark.parametrize(
    "parameter",
    [
        *("tr=", "tr=tracker.example", "tr=http://h/%00", "ws=%1b", "xs=%0a"),
        *("xl=-1", "xl=1_0", "xl=9999999999999999999", "xl=%D9%A1"),
        *("x.pe=1.2.3.4", "x.pe=1.2.3.4:0", "x.pe=1.2.3.4:65536", "x.pe=:80", "x.pe=a b:80", "x.pe=::1:80"),
        *("so=", "so=a", "so=-1", "so=5-3", "so=1_0", "so=99999999"),
        *("dn=", "dn=%00", "dn", "=", "&&", "%zz=%zz"),
    ],
)
def test_other_malformed_parameters_are_dropped(parameter: str) -> None:
    assert Magnet.parse(f"{BTIH}&{parameter}") == Magnet(info_hash_v1=V1)


def test_lists_are_bounded_and_without_repetition() -> None:
    peers = "".join(f"&x.pe=h:{port}&x.pe=h:{port}" for port in range(1, MAX_ITEMS + 100))
    assert len(Magnet.parse(BTIH + peers).peers) == MAX_ITEMS


def test_names_are_safe_as_file_names() -> None:
    assert Magnet.parse(f"{BTIH}&dn=..%2F..%2Fetc%2Fpasswd").name == "....etcpasswd"


def test_text_that_is_no_unicode_is_no_crash() -> None:
    assert Magnet.parse(f"{BTIH}&tr=\ud800&dn=\udcff%ff") == Magnet(info_hash_v1=V1, name="í³¿ÿ")
