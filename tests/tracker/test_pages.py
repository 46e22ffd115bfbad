import re

from bittern.tracker.figures import Figures
from bittern.tracker.pages import metrics, stats
from tests.tracker.asking import HASH, desk

SAMPLE = re.compile(r'^[a-z_]+(\{[a-z0-9_]+="[a-z0-9]+"(,[a-z0-9_]+="[a-z0-9]+")*\})? [0-9.e+-]+$')


def test_the_page_has_counts_and_neither_script_nor_style() -> None:
    at = desk()
    at.registry.announce(HASH, bytes(6), True, 2, 0)
    page = stats(Figures.of(at.registry, at.counters), 12.3, "<1&0>")
    text = page.body.decode()
    assert "<tr><th>IPv4 seeds</th><td>1</td></tr>" in text
    assert "bittern &lt;1&amp;0&gt;" in text
    assert not re.search(r"<script|<style|style=|href|src=|on[a-z]+=", text)
    assert "Content-Security-Policy: default-src 'none'" in page.fields
    assert "nosniff" in page.fields
    assert page.fields.endswith("\r\n")


def test_prometheus_finds_every_figure_with_its_type() -> None:
    at = desk()
    at.registry.announce(HASH, bytes(18), False, 2, 0)
    at.counters.udp.announces = 10**7
    lines = metrics(Figures.of(at.registry, at.counters), 12.3, 3).body.decode().splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    assert [line for line in samples if not SAMPLE.match(line)] == []
    assert 'bittern_tracker_peers{family="ipv6",role="leecher"} 1' in samples
    assert 'bittern_tracker_requests_total{protocol="udp",kind="announces"} 10000000' in samples
    assert "bittern_tracker_workers 3" in samples
    named = {re.split(r"[ {]", line)[0] for line in samples}
    assert {line.split()[2] for line in lines if line.startswith("# TYPE")} == named
