from bittern.base.address import Address
from bittern.base.ids import InfoHashV1
from bittern.engine.driver import Driver
from bittern.engine.effects import (
    AnnounceLocally,
    Connect,
    ConnectWeb,
    ForgetPiece,
    GiveUp,
    HttpGet,
    Resolve,
    SendDatagram,
    WorkOut,
)
from bittern.wire.lsd import LocalAnnounce


class Script:
    """A core that wants things, and the ports that are asked for them; what happened, in order."""

    def __init__(self) -> None:
        self.story: list[object] = []
        self.effects: list[object] = []
        self.due: float | None = None

    def advance(self, now: float) -> None:
        self.story.append(("advance", now))
        self.due = None

    def settle(self, now: float) -> None:
        self.story.append(("settle", now))

    def take_effects(self) -> list[object]:
        effects, self.effects = self.effects, []
        return effects

    def next_deadline(self) -> float | None:
        return self.due

    def connect(self, wish: object) -> None:
        self.story.append(("net", wish))

    def give_up(self, wish: object) -> None:
        self.story.append(("net", wish))

    def connect_web(self, wish: object) -> None:
        self.story.append(("web", wish))

    def get(self, wish: object) -> None:
        self.story.append(("http", wish))

    def send(self, wish: object) -> None:
        self.story.append(("udp", wish))

    def resolve(self, wish: object) -> None:
        self.story.append(("resolver", wish))

    def announce(self, wish: object) -> None:
        self.story.append(("local", wish))

    def work_out(self, wish: object) -> None:
        self.story.append(("keys", wish))

    def submit(self, job: object) -> None:
        self.story.append(("disk", job))


def test_what_is_due_comes_before_settling_and_each_wish_goes_to_its_port() -> None:
    script = Script()
    driver = Driver(script, script, script, script, script, script, script, script)  # type: ignore[arg-type]  # it plays all
    dial, fetch, job = Connect(1, 1, Address("10.0.0.1", 1)), HttpGet(2, 1, "u", "t", 1, 1.0), ForgetPiece(1, 2)
    packet, name = SendDatagram(Address("10.0.0.1", 1), b"x"), Resolve(3, "h", ipv6=False)
    web = ConnectWeb(3, 1, "a", 80, secure=False, local=False)
    shout = AnnounceLocally(LocalAnnounce(1, (InfoHashV1(bytes(20)),)))
    secret = WorkOut(4, b"ours", b"theirs")
    script.effects = [job, dial, GiveUp(1), web, fetch, packet, name, shout, secret]
    script.due = 7.0
    driver.turn(0.0)
    assert script.story[-9:] == [
        ("disk", job),
        ("net", dial),
        ("net", GiveUp(1)),
        ("web", web),
        ("http", fetch),
        ("udp", packet),
        ("resolver", name),
        ("local", shout),
        ("keys", secret),
    ]
    script.story.clear()
    script.due = 7.0
    assert driver.turn(6.9) == 7.0
    assert script.story == [("settle", 6.9)]
    script.story.clear()
    assert driver.turn(7.0) is None
    assert script.story == [("advance", 7.0), ("settle", 7.0)]
    script.story.clear()
    driver.turn(1e9)
    assert script.story == [("settle", 1e9)]
