"""What steers a session, with units; validated at construction."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from math import inf, isnan
from pathlib import Path
from typing import Literal

from bittern.base.errors import ProxyError, SessionError
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.classes import PeerClass
from bittern.engine.upload.choker import SeedChoker
from bittern.engine.upload.slots import SlotCount
from bittern.version import __version__
from bittern.wire.mse.policy import Encryption
from bittern.wire.proxy.server import ProxyServer

from .folders import state_folder
from .goals import AtGoal, Goal
from .queue import Places

USER_AGENT = f"bittern/{__version__}"
WEB_CONNECTIONS = 8
"""The rule for connections of one torrent to web seeds."""
_STRANGERS = 200
"""Connections that have not said yet which torrent they want, where there are open files enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a session behaves. Every field has a default that suits a desktop.

    Raises:
        SessionError: a value is out of its range; the message names the field.
    """

    # --- places

    save_path: str | os.PathLike[str] = Path()
    """The folder that downloads go to, where `Session.add` names no other."""
    state_dir: str | os.PathLike[str] | None = None
    """The folder of saved progress; None for `$XDG_STATE_HOME/bittern`."""
    keep_torrents: bool = False
    """Whether torrents that are added are there again in the next session with the same `state_dir`. One such session
    at a time may use a folder.

    What is set while it is open is there again too: limits, goal, priority and place in the queue of each torrent,
    groups and their limits, bans, and what `Session.set_limits`, `set_places` and `set_goal` said. These last hold
    only where the settings of the next session are silent: a `down_bytes_per_second` or `up_bytes_per_second` that is
    not `math.inf` goes before the limit of its direction, any of `active_downloads`, `active_seeds` and
    `active_torrents` before all places, any of `seed_ratio`, `seed_minutes`, `seed_idle_minutes` and `at_goal` before
    the whole goal."""

    # --- network

    listen: tuple[str, ...] = ()
    """IP addresses to listen on; empty for every address of the machine, IPv4 and IPv6."""
    port: int | None = None
    """TCP and UDP port, 0 for any free one; None for a port drawn once and kept in `state_dir`, never 6881 to 6889."""
    tcp: bool = True
    """Whether peers may connect to us over TCP, and we to them; trackers and web servers are asked over TCP anyway."""
    utp: bool = True
    """Whether peers may connect to us over uTP (BEP 29), which gives way to other traffic, and we to them."""
    utp_first: bool = False
    """Whether uTP is tried before TCP, except in the local network and where TCP has worked: what comes by it gives way
    to all else on the line. Else TCP is tried first; either way the other one follows within a second."""
    interface: str | None = None
    """The network interface, or its address, that everything goes out and comes in through: a tunnel, for example.
    While it is gone nothing is sent or received: connections end, and are made again when it is back."""
    dns_servers: tuple[str, ...] = ()
    """IP addresses of servers that are asked for names, the same way as everything else goes; empty for those of the
    system. With an `interface` they are asked through it, and none on this machine itself: name others."""
    source: str | None = None
    """The local IP address that connections are made from; None for the system's choice."""
    port_file: str | os.PathLike[str] | None = None
    """A file that holds the port that is forwarded to us, by a VPN for example: it is watched, and listened there. The
    port of `port` is used while the file does not say."""
    port_command: str | None = None
    """A command of the shell that prints that port: once, and is run again a minute after its end, or a line each time
    that it changes."""
    port_mapping: bool = False
    """Whether the router is asked to let others in (PCP, NAT-PMP, UPnP): mappings are kept up, and taken back at the
    end. Not where only this machine is listened to, nor where our address is one of the whole world."""
    use_trackers: bool = True
    """Whether to ask the trackers that torrents name."""
    dht: bool = False
    """Whether to take part in the distributed hash table, and to ask it for peers of torrents that are not private."""
    dht_routers: tuple[str, ...] = ()
    """`HOST:PORT` of nodes of the table to begin with, such as `bittern.dht.ROUTERS`; those that were known in the last
    run are remembered."""
    announce_to_all: bool = False
    """Whether each torrent is announced to all its trackers; else to the first that works."""
    use_pex: bool = True
    """Whether peers tell each other of peers (BEP 11), of torrents that are not private."""
    use_lsd: bool = True
    """Whether peers are looked for in the local networks (BEP 14), for torrents that are not private; not on loopback.
    """
    ip_filter: tuple[str, ...] = ()
    """Lists of IP addresses that nobody deals with: paths, or http and https URLs, of files in the form of P2P, DAT or
    CIDR, as they are, gzipped or zipped; read at the start and by `Session.reload_ip_filter`."""
    blocked_clients: tuple[str, ...] = ()
    """How the peer ids of clients begin that nothing is exchanged with, such as `-XL` (BEP 20)."""
    encryption_in: Literal["off", "prefer", "require"] = "prefer"
    """Whether peers that connect to us may encrypt; `require`: those that do not are turned away."""
    encryption_out: Literal["off", "prefer", "require"] = "prefer"
    """Whether we encrypt where we connect; `prefer`: who does not understand it is tried again plainly."""
    max_peers: int = 80
    """Connections of one torrent to peers."""
    max_connections: int = 500
    """Connections of all torrents together; fewer where the system allows the process fewer open files."""
    max_per_network: int = 3
    """Peers of one torrent with one IPv4 address, or in one IPv6 /64; this machine's own have no such limit."""
    max_half_open: int = 50
    """Connections of all torrents together that are being made at a time."""
    dials_per_second: float = 50.0
    """Connections of all torrents together that are begun in a second."""
    max_dials: int = 16
    """Connections of one torrent that are being made at a time."""
    web_connections: int = WEB_CONNECTIONS
    """Connections of one torrent to web seeds, at most two of each; 0 for no web seeds (BEP 19)."""
    upload_slots: int = 8
    """Peers of one torrent that are served at a time; the least where the number is automatic."""
    slot_count: Literal["fixed", "automatic"] = "fixed"
    """`automatic`: more are served as long as more is uploaded by that."""
    seed_choker: Literal["fastest", "round-robin", "anti-leech"] = "round-robin"
    """Whom a complete torrent serves: who takes most, everybody in turn, or who has least or almost all."""

    # --- privacy

    proxy: str | None = field(default=None, repr=False)
    """URL of a proxy for everything: `socks5://HOST:PORT`, `socks4a://...` or `http://...`, with `USER:PASSWORD@`
    before the host if it wants them. Only SOCKS 5 knows datagrams, which the DHT, UDP trackers and uTP need. A proxy
    that fails is never gone round."""
    proxy_strict: bool = True
    """Where there is a proxy: what does not go through it does not go at all. Nobody can connect to us, nothing is said
    in the local network, and no name is looked up but by the proxy."""
    proxy_peers: bool = True
    """Whether connections to peers go through the proxy."""
    proxy_trackers: bool = True
    """Whether trackers are asked through the proxy."""
    proxy_web: bool = True
    """Whether web seeds, and the servers of .torrent files, are asked through the proxy."""
    proxy_dht: bool = True
    """Whether the distributed hash table is asked through the proxy."""
    proxy_names: bool = True
    """Whether the proxy looks up names for what goes through it."""
    anonymous: bool = False
    """Whether nobody is told which client this is, nor what is known of its address; addresses are listened on only
    where `listen` names them. It hides no address: that is for a proxy."""

    # --- limits

    down_bytes_per_second: float = inf
    """Most that is downloaded, all torrents together; `math.inf` for no limit."""
    up_bytes_per_second: float = inf
    """Most that is uploaded, all torrents together; `math.inf` for no limit."""
    peer_classes: tuple[PeerClass, ...] = ()
    """Peers with limits and upload slots of their own: by their addresses, in the local network, by uTP."""
    exempt_local: bool = False
    """Whether peers in the local network, and on this machine, are held to no limit of bytes."""
    buffer_bytes: int = 64 << 20
    """Memory for blocks on their way to the disk, one torrent."""
    total_buffer_bytes: int = 128 << 20
    """That of all torrents together; n of them that want more than there is have 1 / (n + 1) of it each."""
    upload_buffer_bytes: int = 64 << 20
    """Memory for blocks on their way from the disk to peers, all torrents together, shared likewise."""
    check_bytes_per_second: float = inf
    """Most that is read to check files; `math.inf` for no limit."""

    # --- queue

    active_downloads: float = inf
    """Torrents that download at a time; the others wait, QUEUED. Slow ones are not counted."""
    active_seeds: float = inf
    """Complete torrents in their swarms at a time; slow ones, and those that sleep, are not counted."""
    active_torrents: float = inf
    """Both together."""
    active_checks: int = 1
    """Torrents whose files are hashed at a time; one alone can use all processors."""
    slow_bytes_per_second: float = 2048
    """A torrent that moves less than this, both ways together, for a minute, is slow."""
    sleep_seconds: float | None = 60.0
    """A torrent with nothing to do goes to sleep after so long: it needs next to no memory and no open file, and
    wakes up when somebody wants something of it. None for never."""

    # --- behaviour

    preallocate: bool = False
    """Have the system set aside all the room that a torrent needs first; else files grow as pieces come."""
    executable: bool = False
    """Whether complete files that a torrent marks as programs may be run (BEP 47); else nothing that is fetched may."""
    symlinks: bool = False
    """Whether symbolic links of a torrent are made when it is complete (BEP 47), those that stay in its folder."""
    part_suffix: bool = False
    """Whether the names of files end in `.part` until they are complete and on the disk."""
    sequential: bool = False
    """Ask for pieces in order instead of the rarest first."""
    seed_ratio: float | None = None
    """A complete torrent leaves its swarm when it has uploaded this many times its size; None for never."""
    seed_minutes: float | None = None
    """A complete torrent leaves its swarm after so many minutes; None for never."""
    seed_idle_minutes: float | None = None
    """A complete torrent leaves its swarm when nobody asked for anything for so many minutes; None for never."""
    at_goal: AtGoal = AtGoal.PAUSE
    """Whether a torrent that reached one of these goals stays in the session or is taken out."""
    save_seconds: float = 3.0
    """While a torrent downloads, its progress is saved so often. Files are synced to disk before."""
    retry_seconds: float = 30.0
    """When the disk is full, writing is tried again after so long."""
    goodbye_seconds: float = 5.0
    """At the end, trackers have so long to hear that we leave."""
    event_buffer: int = 1000
    """Events kept for a reader of `Torrent.events` that is slow; beyond it the oldest are dropped."""
    seed: int | None = None
    """Makes the choices of pieces and peers repeatable; None for a fresh one."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "save_path", Path(self.save_path))
        if self.port_file is not None:
            object.__setattr__(self, "port_file", Path(self.port_file))
        if self.state_dir is not None:
            object.__setattr__(self, "state_dir", Path(self.state_dir))
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, (int, float)) and each.name != "seed" and (value < 0 or isnan(value)):
                raise SessionError(f"{each.name} = {value}: must not be negative")
        if self.port is not None and self.port > 65535:
            raise SessionError(f"port = {self.port}: must be 0 to 65535")
        for name in (
            "max_peers",
            "max_connections",
            "max_per_network",
            "max_half_open",
            "dials_per_second",
            "max_dials",
            "upload_slots",
            "event_buffer",
            "down_bytes_per_second",
            "save_seconds",
            "upload_buffer_bytes",
            "check_bytes_per_second",
            "active_checks",
        ):
            if not getattr(self, name):
                raise SessionError(f"{name} = 0: must be positive")
        kinds: dict[str, type[Enum]] = {"slot_count": SlotCount, "seed_choker": SeedChoker}
        for name, kind in (kinds | dict.fromkeys(("encryption_in", "encryption_out"), Encryption)).items():
            known = [choice.value for choice in kind]
            if getattr(self, name) not in known:
                raise SessionError(f"{name} = {getattr(self, name)!r}: must be one of {', '.join(known)}")
        if not (self.tcp or self.utp):
            raise SessionError("tcp and utp = False: nothing is left to reach peers by")
        _check_proxy(self.proxy)
        for name in ("listen", "dns_servers", "ip_filter", "blocked_clients"):
            if isinstance(getattr(self, name), str):
                raise SessionError(f"{name} = {getattr(self, name)!r}: must be a tuple of texts")
        for prefix in self.blocked_clients:
            if not (prefix and prefix.isascii() and len(prefix) <= 20):
                raise SessionError(f"blocked_clients: {prefix!r} is no beginning of a peer id, as -XL is one")

    def state_folder(self, environ: Mapping[str, str] = os.environ) -> Path:
        """`state_dir`, or the one of the XDG base directories.

        Raises:
            SessionError: the user has no home.
        """
        return Path(self.state_dir) if self.state_dir is not None else state_folder(environ)

    @property
    def speaks_udp(self) -> bool:
        """Whether anything needs datagrams."""
        return self.dht or self.use_trackers or self.utp

    @property
    def encrypts(self) -> bool:
        """Whether any connection may be encrypted."""
        return any(Encryption(choice) is not Encryption.OFF for choice in (self.encryption_in, self.encryption_out))

    def goal(self) -> Goal:
        """When enough was shared, for torrents without a goal of their own."""
        return Goal(
            ratio=self.seed_ratio,
            seed_minutes=self.seed_minutes,
            idle_minutes=self.seed_idle_minutes,
            then=self.at_goal,
        )

    def places(self) -> Places:
        """How many torrents may run at a time."""
        return Places(downloads=self.active_downloads, seeds=self.active_seeds, total=self.active_torrents)

    def for_engine(self, sockets: int | None = None, *, rc4: bool = True) -> EngineSettings:
        """The part of it that the engine needs.

        Args:
            sockets: how many connections the system lets the process have at most; None for any number. A fifth of
                them is for those who have not said yet what they want.
            rc4: whether there is a cipher.

        Raises:
            SessionError: what is required is not possible.
        """
        strangers = _STRANGERS if sockets is None else max(1, min(_STRANGERS, sockets // 5))
        most = self.max_connections if sockets is None else max(1, min(self.max_connections, sockets - strangers))
        return EngineSettings(
            tcp=self.tcp,
            utp=self.utp,
            utp_first=self.utp_first,
            use_trackers=self.use_trackers,
            use_dht=self.dht,
            announce_to_all=self.announce_to_all,
            use_pex=self.use_pex,
            use_lsd=self.use_lsd,
            encryption_in=_possible(self.encryption_in, rc4=rc4),
            encryption_out=_possible(self.encryption_out, rc4=rc4),
            user_agent="" if self.anonymous else USER_AGENT,
            anonymous=self.anonymous,
            blocked_clients=tuple(prefix.encode() for prefix in self.blocked_clients),
            down_bytes_per_second=self.down_bytes_per_second,
            up_bytes_per_second=self.up_bytes_per_second,
            peer_classes=self.peer_classes,
            exempt_local=self.exempt_local,
            max_peers=self.max_peers,
            max_connections=most,
            max_per_network=self.max_per_network,
            max_strangers=strangers,
            max_half_open=self.max_half_open,
            dials_per_second=self.dials_per_second,
            max_dials=self.max_dials,
            upload_slots=self.upload_slots,
            slot_count=SlotCount(self.slot_count),
            seed_choker=SeedChoker(self.seed_choker),
            buffer_bytes=self.buffer_bytes,
            total_buffer_bytes=self.total_buffer_bytes,
            upload_buffer_bytes=self.upload_buffer_bytes,
            sequential=self.sequential,
            max_web_connections=self.web_connections,
        )


def _possible(choice: str, *, rc4: bool) -> Encryption:
    """What becomes of a choice where there may be no cipher."""
    wanted = Encryption(choice)
    if wanted is Encryption.REQUIRE and not rc4:
        raise SessionError("encryption is required, and the system's OpenSSL has no RC4")
    return wanted if rc4 else Encryption.OFF


def _check_proxy(url: str | None) -> None:
    if url is not None:
        try:
            ProxyServer.parse(url)
        except ProxyError as error:
            raise SessionError(f"proxy: {error}") from None
