import pytest

from bittern.base.errors import (
    BencodeError,
    BitternError,
    MetainfoError,
    Offence,
    RemoteProtocolError,
    StorageError,
    TrackerError,
)


def test_messages_say_what_and_where() -> None:
    assert str(BencodeError("not a value", 7)) == "not a value at byte 7"
    assert str(MetainfoError("info.name", "missing")) == "info.name: missing"
    assert str(StorageError(StorageError.Kind.DISK_FULL, "/d/f")) == "/d/f: no space left"
    assert str(StorageError(StorageError.Kind.IO, "/d/f", "bad sector")) == "/d/f: input/output error (bad sector)"
    assert str(RemoteProtocolError(Offence.BAD_BITFIELD)) == Offence.BAD_BITFIELD.value
    assert str(RemoteProtocolError(Offence.BAD_BITFIELD, "x")) == f"{Offence.BAD_BITFIELD.value}: x"


def test_programs_find_the_facts_in_attributes() -> None:
    assert (BencodeError("r", 7).reason, BencodeError("r", 7).offset) == ("r", 7)
    assert (MetainfoError("f", "r").field, MetainfoError("f", "r").reason) == ("f", "r")
    assert TrackerError("busy", retry_in=60.0).retry_in == 60.0
    assert RemoteProtocolError(Offence.TIMED_OUT).offence is Offence.TIMED_OUT
    error = StorageError(StorageError.Kind.MISSING, "/d/f")
    assert (error.kind, error.path) == (StorageError.Kind.MISSING, "/d/f")


@pytest.mark.parametrize(
    "error",
    [
        BencodeError("r", 7),
        MetainfoError("f", "r"),
        RemoteProtocolError(Offence.BAD_BITFIELD, "x"),
        StorageError(StorageError.Kind.IO, "/d/f"),
        TrackerError("r", 5.0),
    ],
)
def test_one_base_class_catches_all(error: BitternError) -> None:
    assert isinstance(error, BitternError)
