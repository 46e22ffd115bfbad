"""`bittern scrape`: how large swarms are, by the word of their trackers."""

import asyncio
from typing import Any

from bittern.base.errors import NetworkError, TrackerError
from bittern.base.ids import InfoHashV1
from bittern.cli.arguments import Json, Url, Urls, check_proxy, checked_url
from bittern.cli.failures import UsageError
from bittern.cli.loop import run
from bittern.cli.notices import notices
from bittern.cli.output import counted, print_json, printable, say
from bittern.cli.sources import read_source
from bittern.codec.magnet import Magnet
from bittern.io.proxying import Purpose
from bittern.io.scraper import Scraper
from bittern.io.udp_ports import Ports
from bittern.session.routing import relay, route_of
from bittern.session.settings import USER_AGENT, Settings
from bittern.wire.announce import ScrapeEntry

_COUNTS = ("seeds", "leechers", "downloads")

Answers = dict[str, dict[InfoHashV1, ScrapeEntry] | TrackerError]


def scrape(*sources: str, tracker: Urls = (), proxy: Url | None = None, json: Json = False) -> None:
    """Ask trackers how many have a torrent, and how many want it; nobody learns that you do.

    Parameters
    ----------
    sources
        .torrent files, magnet links, or info hashes of 40 or 64 hexadecimal digits.
    tracker
        URL of a tracker to ask instead of those that the torrents name; may be repeated.
    proxy
        URL of a proxy to ask them through, as in `bittern get`.
    json
        Print one JSON document.
    """
    if not sources:
        raise UsageError("scrape what? Name .torrent files, magnet links or info hashes")
    check_proxy(proxy)
    swarms = {text: _swarm(text, tracker) for text in sources}
    if not any(trackers for _, trackers in swarms.values()):
        raise UsageError("no tracker is named: name one with --tracker URL")
    wanted: dict[str, list[InfoHashV1]] = {}
    for info_hash, trackers in swarms.values():
        for url in trackers:
            if info_hash not in wanted.setdefault(url, []):
                wanted[url].append(info_hash)
    with notices(lambda _: None):  # each tracker's line says it
        answers = run(_ask(wanted, proxy, trusted=bool(tracker)))
    report = [
        {
            "source": text,
            "info_hash": str(info_hash),
            "trackers": [_row(url, answers[url], info_hash) for url in trackers],
        }
        for text, (info_hash, trackers) in swarms.items()
    ]
    if json:
        print_json(report)
    else:
        _show(report)
    failures = [answer for answer in answers.values() if isinstance(answer, TrackerError)]
    if len(failures) == len(answers):
        raise NetworkError(f"no tracker answered: {printable(str(failures[0]))}")


def _swarm(text: str, own: tuple[str, ...]) -> tuple[InfoHashV1, tuple[str, ...]]:
    """The info hash of a torrent, and whom to ask about it."""
    found = read_source(text)
    if isinstance(found, Magnet):
        info_hash, named = found.wire_hash, found.trackers
    else:
        info_hash, named = found.info.wire_hash, tuple(url for tier in found.trackers for url in tier)
    chosen = tuple(map(checked_url, own)) or named
    return info_hash, tuple(dict.fromkeys(url for url in chosen if url.lower().startswith(("http", "udp:"))))


async def _ask(wanted: dict[str, list[InfoHashV1]], proxy: str | None, *, trusted: bool) -> Answers:
    route = route_of(Settings(proxy=proxy))
    scraper = Scraper(USER_AGENT, Ports(route, relay=relay(route, Purpose.TRACKERS)))

    async def one(url: str) -> dict[InfoHashV1, ScrapeEntry] | TrackerError:
        try:
            return await scraper.scrape(url, wanted[url], trusted=trusted)
        except TrackerError as error:
            return error

    try:
        return dict(zip(wanted, await asyncio.gather(*map(one, wanted)), strict=True))
    finally:
        await scraper.close()


def _row(url: str, answer: dict[InfoHashV1, ScrapeEntry] | TrackerError, info_hash: InfoHashV1) -> dict[str, Any]:
    if isinstance(answer, TrackerError):
        return {"url": url, "error": str(answer)}
    entry = answer.get(info_hash, ScrapeEntry(0, 0, 0))
    return {"url": url, "seeds": entry.complete, "leechers": entry.incomplete, "downloads": entry.downloaded}


def _show(report: list[dict[str, Any]]) -> None:
    for torrent in report:
        say(printable(torrent["source"], 200))
        for row in torrent["trackers"]:
            found = [counted(row[each], each.removesuffix("s")) for each in _COUNTS if each in row]
            say(f"  {printable(row['url'], 200)}: {', '.join(found) or printable(row['error'], 300)}")
