"""What the operator may look at: a page for people, and the same figures for Prometheus."""

from html import escape
from typing import Final

from bittern.wire.http_request import HTML, Answer

from .figures import Figures

_FIELDS: Final = (
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-store\r\n"
)
_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"


def stats(figures: Figures, up_seconds: float, version: str) -> Answer:
    """A page without script, style or link; nothing on it was said by a client."""
    totals = figures.totals
    rows = [
        ("Running for", f"{up_seconds:.0f} s"),
        ("Swarms", totals.swarms),
        ("IPv4 seeds", totals.seeds),
        ("IPv4 leechers", totals.leechers),
        ("IPv6 seeds", totals.seeds6),
        ("IPv6 leechers", totals.leechers6),
    ]
    for name, traffic in (("UDP", figures.udp), ("HTTP", figures.http)):
        rows += [
            (f"{name} announces", traffic.announces),
            (f"{name} scrapes", traffic.scrapes),
            (f"{name} refused", traffic.refused),
            (f"{name} dropped", traffic.dropped),
        ]
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>\n" for name, value in rows)
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Tracker</title></head><body>\n'
        f"<h1>Tracker</h1>\n<table>\n{cells}</table>\n<p>bittern {escape(version)}</p>\n</body></html>\n"
    )
    return Answer(text.encode(), content_type=HTML, fields=_FIELDS)


def metrics(figures: Figures, up_seconds: float, workers: int = 1) -> Answer:
    """The figures in the text format of Prometheus."""
    totals = figures.totals
    lines = [
        *_metric("up_seconds", "gauge", "Seconds since the start.", {"": up_seconds}),
        *_metric("workers", "gauge", "Processes that share the swarms.", {"": workers}),
        *_metric("swarms", "gauge", "Swarms with a peer, once for each family.", {"": totals.swarms}),
        *_metric("known_peers", "gauge", "Peers in memory, those that left lately among them.", {"": totals.known}),
        *_metric(
            "peers",
            "gauge",
            "Peers in swarms.",
            {
                '{family="ipv4",role="leecher"}': totals.leechers,
                '{family="ipv4",role="seed"}': totals.seeds,
                '{family="ipv6",role="leecher"}': totals.leechers6,
                '{family="ipv6",role="seed"}': totals.seeds6,
            },
        ),
        *_metric("expired_peers_total", "counter", "Peers that fell silent.", {"": totals.expired}),
        *_metric(
            "requests_total",
            "counter",
            "Requests by protocol and what became of them.",
            {
                f'{{protocol="{protocol}",kind="{kind}"}}': getattr(traffic, kind)
                for protocol, traffic in (("udp", figures.udp), ("http", figures.http))
                for kind in ("connects", "announces", "scrapes", "refused", "dropped")
            },
        ),
    ]
    return Answer("".join(lines).encode(), content_type=_PROMETHEUS, fields=_FIELDS)


def _metric(name: str, kind: str, help_text: str, values: dict[str, float]) -> list[str]:
    full = f"bittern_tracker_{name}"
    samples = [f"{full}{labels} {value:.10g}\n" for labels, value in values.items()]
    return [f"# HELP {full} {help_text}\n# TYPE {full} {kind}\n", *samples]
