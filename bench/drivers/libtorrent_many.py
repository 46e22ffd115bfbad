"""A libtorrent client with many torrents, for benches: the same roles and words as bittern_many.py.

    python libtorrent_many.py fill|run STATE TORRENTS

Its resume data is one file a torrent, the usual way; a start reads them all.
"""

import sys
import time
from pathlib import Path

import libtorrent as lt

SEEDING = lt.torrent_status.seeding


def open_session() -> lt.session:
    """A session that reaches nothing, and lets every torrent run."""
    settings: lt.settings_pack = {
        "listen_interfaces": "127.0.0.1:0",
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_ip_notifier": False,
        "active_limit": -1,
        "active_seeds": -1,
        "alert_queue_size": 1_000_000,
        "alert_mask": lt.alert_category.status | lt.alert_category.storage,
    }
    return lt.session(settings)


def seeding(session: lt.session) -> int:
    """How many torrents seed."""
    return sum(status.state == SEEDING for status in session.get_torrent_status(lambda _: True))


def wait_until_seeding(session: lt.session, count: int) -> None:
    """Until so many torrents seed."""
    while seeding(session) < count:
        session.pop_alerts()
        time.sleep(0.05)


def fill(state: Path, torrents: Path) -> None:
    """Add everything, and keep resume data."""
    session = open_session()
    state.mkdir(parents=True, exist_ok=True)
    files = sorted(torrents.glob("*.torrent"))
    for file in files:
        params = lt.load_torrent_file(str(file))
        params.save_path = str(torrents / "content")
        params.flags |= lt.torrent_flags.seed_mode
        params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
        session.async_add_torrent(params)
    wait_until_seeding(session, len(files))
    for handle in session.get_torrents():
        handle.save_resume_data(lt.save_resume_flags_t.save_info_dict)
    saved = 0
    while saved < len(files):
        session.wait_for_alert(500)
        for alert in session.pop_alerts():
            if isinstance(alert, lt.save_resume_data_alert):
                (state / f"{saved}.resume").write_bytes(lt.write_resume_data_buf(alert.params))
                saved += 1
    print(f"ready {saved}", flush=True)


def run(state: Path, began: float) -> None:
    """Start again, and stay."""
    session = open_session()
    files = list(state.glob("*.resume"))
    for file in files:
        session.async_add_torrent(lt.read_resume_data(file.read_bytes()))
    wait_until_seeding(session, len(files))
    print(f"ready {time.monotonic() - began!r} {len(files)} {session.listen_port()}", flush=True)
    session.apply_settings({"alert_mask": 0})  # nobody reads them until the end
    session.pop_alerts()
    sys.stdin.read()


def main() -> None:
    """The command line."""
    began = time.monotonic()
    role, state, torrents = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if role == "fill":
        fill(state, torrents)
    else:
        run(state, began)


if __name__ == "__main__":
    main()
