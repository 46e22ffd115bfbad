"""Many libtorrent leechers in one process, each a session with an address of its own.

    python crowd.py get TORRENT FOLDER --peer HOST:PORT [--count 50]

Says `ready 0`, waits for `go`, and says `done T` (monotonic seconds) when every leecher's bytes are in its
files, in FOLDER/0, FOLDER/1 and so on. They know only the one peer, so all bytes come from there.
"""

import argparse
import sys
import time
from pathlib import Path

import libtorrent as lt


def open_session(number: int) -> lt.session:
    """A session on 127.0.1.NUMBER with few threads; encryption off."""
    settings: lt.settings_pack = {
        "listen_interfaces": f"127.0.1.{number + 1}:0",
        "outgoing_interfaces": f"127.0.1.{number + 1}",
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_ip_notifier": False,
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
        "in_enc_policy": lt.enc_policy.pe_disabled,
        "out_enc_policy": lt.enc_policy.pe_disabled,
        "aio_threads": 1,
        "hashing_threads": 1,
        "alert_mask": lt.alert_category.status | lt.alert_category.storage,
    }
    return lt.session(settings)


def wait_for(session: lt.session, wanted: type[lt.alert]) -> None:
    """Until an alert of this type."""
    while True:
        session.wait_for_alert(500)
        if any(isinstance(alert, wanted) for alert in session.pop_alerts()):
            return


def main() -> None:
    """Download it `count` times at once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["get"])
    parser.add_argument("torrent")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--listen", help="ignored: each has an address of its own")
    parser.add_argument("--peer", required=True, metavar="HOST:PORT")
    parser.add_argument("--count", type=int, default=50)
    args = parser.parse_args()
    host, _, port = args.peer.rpartition(":")
    sessions = [open_session(number) for number in range(args.count)]
    print("ready 0", flush=True)
    if sys.stdin.readline().strip() != "go":
        return
    handles = []
    for number, session in enumerate(sessions):
        params = lt.load_torrent_file(args.torrent)
        params.save_path = str(args.folder / str(number))
        params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
        handle = session.add_torrent(params)
        handle.connect_peer((host, int(port)))
        handles.append(handle)
    for session, handle in zip(sessions, handles, strict=True):
        wait_for(session, lt.torrent_finished_alert)
        handle.flush_cache()
        wait_for(session, lt.cache_flushed_alert)
    print(f"done {time.monotonic()!r}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
