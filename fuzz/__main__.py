"""Command line: exit code 1 and the input in hexadecimal when an invariant broke."""

import argparse
import sys

from fuzz.driver import run
from fuzz.target_bencode import TARGET as BENCODE
from fuzz.target_dns import TARGET as DNS
from fuzz.target_extended import TARGET as EXTENDED
from fuzz.target_handshake import TARGET as HANDSHAKE
from fuzz.target_holepunch import TARGET as HOLEPUNCH
from fuzz.target_igd import TARGET as IGD
from fuzz.target_ip_list import TARGET as IP_LIST
from fuzz.target_krpc import TARGET as KRPC
from fuzz.target_lsd import TARGET as LSD
from fuzz.target_magnet import TARGET as MAGNET
from fuzz.target_messages import TARGET as MESSAGES
from fuzz.target_metainfo import TARGET as METAINFO
from fuzz.target_mse import TARGET as MSE
from fuzz.target_natpmp import TARGET as NATPMP
from fuzz.target_paths import TARGET as PATHS
from fuzz.target_proxy import TARGET as PROXY
from fuzz.target_resume import TARGET as RESUME
from fuzz.target_tracker_http import TARGET as TRACKER_HTTP
from fuzz.target_tracker_http_server import TARGET as TRACKER_HTTP_SERVER
from fuzz.target_tracker_udp import TARGET as TRACKER_UDP
from fuzz.target_tracker_udp_server import TARGET as TRACKER_UDP_SERVER
from fuzz.target_ut_metadata import TARGET as UT_METADATA
from fuzz.target_ut_pex import TARGET as UT_PEX
from fuzz.target_utp import TARGET as UTP
from fuzz.target_webseed import TARGET as WEBSEED
from fuzz.target_xml import TARGET as XML

_CODEC = (BENCODE, IP_LIST, MAGNET, METAINFO, PATHS, RESUME)
_WIRE = (MESSAGES, HANDSHAKE, EXTENDED, UT_METADATA, UT_PEX, LSD, TRACKER_HTTP, TRACKER_UDP, KRPC, WEBSEED)
_TRANSPORT = (HOLEPUNCH, MSE, PROXY, UTP)
_NAT = (NATPMP, IGD, XML, DNS)
_TRACKER = (TRACKER_HTTP_SERVER, TRACKER_UDP_SERVER)
TARGETS = {target.name: target for target in (*_CODEC, *_WIRE, *_TRANSPORT, *_NAT, *_TRACKER)}


def main(argv: list[str] | None = None) -> int:
    """Fuzz one target, or all in turn."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("target", choices=[*TARGETS, "all"])
    parser.add_argument("--seconds", type=float, default=10.0, help="for each target")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    chosen = list(TARGETS.values()) if options.target == "all" else [TARGETS[options.target]]
    found = False
    for target in chosen:
        print(f"{target.name}: seed {options.seed}, {options.seconds:g} s", flush=True)
        count, finding = run(target, options.seconds, options.seed)
        if finding:
            found = True
            print(f"{target.name}: input {count} FAILED: {finding.reason}\n{finding.data.hex()}", flush=True)
        else:
            print(f"{target.name}: {count} inputs, nothing found", flush=True)
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
