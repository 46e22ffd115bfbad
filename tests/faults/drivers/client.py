"""A real client that downloads while others misbehave: libtorrent, which looks at its progress every 50 ms.

python client.py TORRENT FOLDER PORT

It asks 127.0.0.1:PORT for the torrent. For each line of its input it says, since the last: how many bytes came, how
many seconds passed, and for how many of them at most nothing came. The end of its input is its end.
"""

import json
import select
import sys
import time

import libtorrent as lt

EVERY_SECONDS = 0.05


def open_session() -> lt.session:
    """One that reaches nothing but the peer that it is told of."""
    ours: lt.settings_pack = {
        "listen_interfaces": "127.0.0.1:0",
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_ip_notifier": False,
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
        "out_enc_policy": lt.enc_policy.pe_disabled,
        "in_enc_policy": lt.enc_policy.pe_disabled,
        "alert_mask": 0,
    }
    return lt.session(ours)


def main(torrent: str, folder: str, port: str) -> None:
    """Download, and look."""
    session = open_session()
    params = lt.load_torrent_file(torrent)
    params.save_path = folder
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    handle = session.add_torrent(params)
    handle.connect_peer(("127.0.0.1", int(port)))
    came = told = 0
    since = grew = time.monotonic()
    longest = 0.0
    while True:
        asked = bool(select.select([sys.stdin], [], [], EVERY_SECONDS)[0])
        status, now = handle.status(), time.monotonic()
        longest = max(longest, now - grew)
        if status.total_payload_download > came or status.is_seeding:
            came, grew = status.total_payload_download, now
        if asked:
            if not sys.stdin.readline():
                return
            sys.stdout.write(json.dumps([came - told, now - since, longest]) + "\n")
            sys.stdout.flush()
            told, since, longest = came, now, 0.0


if __name__ == "__main__":
    main(*sys.argv[1:])
