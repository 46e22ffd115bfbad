"""A libtorrent client for tests and benches, driven by lines.

    python libtorrent_peer.py seed|get SOURCE FOLDER [options]

It says `ready PORT` when it listens (and, as a seed, has checked its content). A leecher then waits for the
line `go` and says `done T` when its bytes are in the file, T being the monotonic clock; it seeds on. The
end of its standard input closes it down in order: trackers hear `stopped`.
"""

import argparse
import sys
import time

import libtorrent as lt

ENCRYPTION = {"require": lt.enc_policy.pe_forced, "prefer": lt.enc_policy.pe_enabled, "off": lt.enc_policy.pe_disabled}
METHODS = {"rc4": lt.enc_level.rc4, "plain": lt.enc_level.plaintext, "both": lt.enc_level.both}


LEAVE_SECONDS = 3.0


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["seed", "get"])
    parser.add_argument("source", help="a .torrent file or a magnet link")
    parser.add_argument("folder", help="what holds, or will hold, the torrent's root")
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT")
    parser.add_argument("--peer", action="append", default=[], metavar="HOST:PORT")
    parser.add_argument("--preset", choices=["default", "high_performance_seed"], default="default")
    parser.add_argument("--encryption", choices=sorted(ENCRYPTION), default="prefer")
    parser.add_argument("--method", choices=sorted(METHODS), help="behind an encrypted handshake; rc4 if required")
    parser.add_argument("--tracker", action="store_true", help="nothing: the torrent's trackers are always asked")
    parser.add_argument("--slots", type=int, default=-1, help="peers to serve at a time; -1 for all")
    parser.add_argument("--utp", action="store_true", help="uTP only, instead of TCP only")
    parser.add_argument("--mixed", action="store_true", help="both TCP and uTP, instead of TCP only")
    parser.add_argument("--lsd", action="store_true", help="look for peers in the local network")
    parser.add_argument("--dht-node", metavar="HOST:PORT", help="take part in the DHT, and begin with this node")
    parser.add_argument("--no-pex", action="store_true", help="neither tell peers of peers nor listen to them")
    parser.add_argument("--down-limit", type=int, default=0, metavar="BYTES", help="a second; 0 for none")
    return parser.parse_args()


def open_session(args: argparse.Namespace) -> lt.session:
    """A session that reaches nothing but trackers and the peers it is told of."""
    settings = lt.high_performance_seed() if args.preset == "high_performance_seed" else lt.default_settings()
    ours: lt.settings_pack = {
        "listen_interfaces": args.listen,
        "enable_dht": False,
        "enable_lsd": args.lsd,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_ip_notifier": False,
        "enable_incoming_utp": args.utp or args.mixed,
        "enable_outgoing_utp": args.utp or args.mixed,
        "enable_incoming_tcp": not args.utp,
        "enable_outgoing_tcp": not args.utp,
        "in_enc_policy": ENCRYPTION[args.encryption],
        "out_enc_policy": ENCRYPTION[args.encryption],
        "allowed_enc_level": METHODS[args.method or ("rc4" if args.encryption == "require" else "both")],
        # By default a second connection from one address is refused: on loopback all have one address.
        "allow_multiple_connections_per_ip": True,
        "connections_limit": 2000,
        "unchoke_slots_limit": args.slots,
        "stop_tracker_timeout": 2,
        "alert_queue_size": 20000,
        "alert_mask": lt.alert_category.status | lt.alert_category.error | lt.alert_category.storage,
    }
    if args.dht_node:
        # It knows next to nobody, and these few have addresses of one network.
        ours["dht_restrict_routing_ips"] = ours["dht_restrict_search_ips"] = ours["dht_enforce_node_id"] = False
        ours["dht_bootstrap_nodes"], ours["enable_dht"] = args.dht_node, True
    settings.update(ours)
    return lt.session(settings)


def add(session: lt.session, args: argparse.Namespace) -> lt.torrent_handle:
    """Add the torrent, started, and connect it to its peers."""
    if args.source.startswith("magnet:"):
        params = lt.parse_magnet_uri(args.source)
    else:
        params = lt.load_torrent_file(args.source)
    params.save_path = args.folder
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    if args.no_pex:
        params.flags |= lt.torrent_flags.disable_pex
    handle = session.add_torrent(params)
    if args.down_limit:
        handle.set_download_limit(args.down_limit)  # the session's limit is not for peers in the local network
    for peer in args.peer:
        host, _, port = peer.rpartition(":")
        handle.connect_peer((host, int(port)))
    return handle


def wait_for(session: lt.session, wanted: type[lt.alert]) -> None:
    """Until an alert of this type; errors go to standard error."""
    while True:
        session.wait_for_alert(500)
        for alert in session.pop_alerts():
            if isinstance(alert, wanted):
                return
            if alert.category() & lt.alert_category.error:
                sys.stderr.write(f"{alert}\n")


def say(line: str) -> None:
    """One line to whoever drives us."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def leave(session: lt.session, handle: lt.torrent_handle) -> None:
    """Tell the trackers `stopped`: a session that just ends, or ends in mid-announce, may not."""
    session.apply_settings({"alert_mask": lt.alert_category.tracker})
    end = time.monotonic() + LEAVE_SECONDS
    while announcing(handle) and time.monotonic() < end:
        time.sleep(0.01)
    handle.pause()
    told = not handle.trackers()
    while not told and time.monotonic() < end:
        session.wait_for_alert(100)
        told = any(
            isinstance(alert, lt.tracker_announce_alert) and alert.event == lt.event_t.stopped
            for alert in session.pop_alerts()
        )


def announcing(handle: lt.torrent_handle) -> bool:
    """Whether an announce waits for its reply."""
    return any(
        hashes["updating"]
        for tracker in handle.trackers()
        for endpoint in tracker["endpoints"]
        for hashes in endpoint["info_hashes"]
    )


def main() -> None:
    """Seed or get until standard input ends."""
    args = options()
    session = open_session(args)
    if args.role == "seed":
        handle = add(session, args)
        wait_for(session, lt.torrent_finished_alert)
        say(f"ready {session.listen_port()}")
    else:
        say(f"ready {session.listen_port()}")
        if sys.stdin.readline().strip() != "go":
            return
        handle = add(session, args)
        wait_for(session, lt.torrent_finished_alert)
        handle.flush_cache()  # "finished" comes before the last blocks are in the file
        wait_for(session, lt.cache_flushed_alert)
        say(f"done {time.monotonic()!r}")
    session.apply_settings({"alert_mask": 0})  # nobody reads them until the end
    sys.stdin.read()
    leave(session, handle)


if __name__ == "__main__":
    main()
