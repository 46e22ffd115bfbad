from bittern.cli.exit_codes import ExitCode


def test_the_numbers_are_those_that_scripts_rely_on() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "OTHER": 1,
        "USAGE": 2,
        "NOT_FOUND": 3,
        "DAEMON_UNREACHABLE": 4,
        "VERIFY_FAILED": 5,
        "NETWORK": 6,
        "UNFINISHED": 7,
        "DISK_FULL": 9,
        "FILE_EXISTS": 13,
        "AUTH": 24,
        "BAD_BENCODE": 25,
        "BAD_TORRENT": 26,
        "BAD_MAGNET": 27,
        "INTERRUPTED": 130,
    }
