from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from cyclopts import App, Parameter

from bittern.cli.config import config_path, from_environment, from_file
from bittern.cli.failures import UsageError

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def complaints() -> list[str]:
    """What is wrong with the environment."""
    return []


@pytest.fixture
def run(tmp_path: Path, complaints: list[str]) -> Run:
    """Runs `get` or `seed` of a small program with these words, environment and config file; its arguments."""

    def run(*words: str, environ: dict[str, str] | None = None, config: str | None = None) -> dict[str, Any]:
        path = tmp_path / "config.toml"
        if config is not None:
            path.write_text(config)
        app = App(default_parameter=Parameter(negative=()), result_action="return_value")
        app.config = (from_environment(environ or {}, app, complaints.append), from_file(path, app))

        @app.command
        def get(
            source: str, /, *, port: int = 0, into: str = ".", no_dht: bool = False, peer: tuple[str, ...] = ()
        ) -> dict[str, Any]:
            return {"source": source, "port": port, "into": into, "no_dht": no_dht, "peer": peer}

        @app.command
        def seed(*, port: int = 0, trust: bool = False) -> dict[str, Any]:
            return {"port": port, "trust": trust}

        @app.command
        def lab(*, port: int = 0) -> dict[str, Any]:
            return {"port": port}

        found = app(words, exit_on_error=False, print_error=False)
        assert isinstance(found, dict)
        return found

    return run


def test_without_either_the_defaults_hold(run: Run) -> None:
    assert run("get", "x") == {"source": "x", "port": 0, "into": ".", "no_dht": False, "peer": ()}


def test_flags_come_from_the_environment(run: Run) -> None:
    environ = {"BITTERN_PORT": "7", "BITTERN_NO_DHT": "1", "BITTERN_PEER": "a:1 b:2", "BITTERN_TRUST": "1"}
    assert run("get", "x", environ=environ) == {
        "source": "x",
        "port": 7,
        "into": ".",
        "no_dht": True,
        "peer": ("a:1", "b:2"),
    }


def test_operands_do_not_come_from_the_environment(run: Run) -> None:
    assert run("get", "x", environ={"BITTERN_SOURCE": "y"})["source"] == "x"


def test_flags_come_from_the_commands_table_and_from_above_all_tables(run: Run) -> None:
    config = 'port = 1\ninto = "up"\n[get]\nport = 2\nno-dht = true\npeer = ["a:1", "b:2"]\n[seed]\ntrust = true\n'
    assert run("get", "x", config=config) == {
        "source": "x",
        "port": 2,
        "into": "up",
        "no_dht": True,
        "peer": ("a:1", "b:2"),
    }
    assert run("seed", config=config) == {"port": 1, "trust": True}


def test_keys_may_be_written_with_underscores(run: Run) -> None:
    assert run("get", "x", config="[get]\nno_dht = true\n")["no_dht"]


def test_the_command_line_goes_before_the_environment_before_the_file(run: Run) -> None:
    config, environ = "[get]\nport = 1\n", {"BITTERN_PORT": "2"}
    assert run("get", "x", config=config)["port"] == 1
    assert run("get", "x", config=config, environ=environ)["port"] == 2
    assert run("get", "x", "--port", "3", config=config, environ=environ)["port"] == 3


def test_a_flag_can_be_switched_off_again(run: Run) -> None:
    assert not run("get", "x", config="[get]\nno-dht = true\n", environ={"BITTERN_NO_DHT": "0"})["no_dht"]


def test_a_slip_in_a_name_of_the_environment_is_told(run: Run, complaints: list[str]) -> None:
    environ = {"BITTERN_NO_DTH": "1", "BITTERN_TRUST": "1", "BITTERN_INTOO": "x", "NO_DTH": "1", "BITTERN_CI": "1"}
    assert run("get", "x", environ=environ) == run("get", "x")
    assert complaints == [
        "BITTERN_INTOO in the environment sets nothing; did you mean BITTERN_INTO?",
        "BITTERN_NO_DTH in the environment sets nothing; did you mean BITTERN_NO_DHT?",
    ]


def test_the_tutorials_commands_are_the_same_on_every_machine(run: Run) -> None:
    assert run("lab", config="[lab]\nport = 1\n", environ={"BITTERN_PORT": "2"}) == {"port": 0}


@pytest.mark.parametrize(
    ("config", "line", "what"),
    [
        ("[get]\nport = \n", 2, "Invalid value"),
        ('[get]\nport = 1\n\nport = "x"\n[', 4, "overwrite"),
        ("[get]\n\nno_dth = true\n", 3, "`get` has no flag --no_dth; did you mean no-dht?"),
        ("[get]\nquiet = true\n", 2, "`get` has no flag --quiet; correct it or take it out"),
        ("# x\nprot = 1\n", 2, "no command has a flag --prot; correct it or take it out"),
        ("[get]\nport = 1\n[gte]\nport = 1\n", 3, "there is no command `gte`; did you mean get?"),
        ("\nget = 1\n", 2, "must be a table"),
        ('[get]\nno-dht = "yes"\n', 2, "must be true or false"),
        ("[get]\nport = true\n", 2, "cannot be true or false"),
        ("[get]\npeer = [[1]]\n", 2, "takes text"),
        ("[get]\nport = 2020-01-01\n", 2, "takes text"),
        ("[get]\nport = 1\n[get", 3, "twice"),
    ],
)
def test_a_file_that_can_not_be_understood_is_refused_with_its_line(
    run: Run, tmp_path: Path, config: str, line: int, what: str
) -> None:
    with pytest.raises(UsageError) as caught:
        run("get", "x", config=config)
    assert f"config.toml, line {line}: " in str(caught.value)
    assert what in str(caught.value)
    assert (tmp_path / "config.toml").read_text() == config


def test_a_file_that_is_not_utf8_is_refused_with_its_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"[get]\ninto = '\xff'\n")
    with pytest.raises(UsageError, match="line 2: not UTF-8"):
        run("get", "x")


def test_a_word_that_is_neither_yes_nor_no_is_refused(run: Run) -> None:
    with pytest.raises(UsageError, match="BITTERN_NO_DHT=maybe: write 1 or 0"):
        run("get", "x", environ={"BITTERN_NO_DHT": "maybe"})


def test_a_user_without_a_home_has_configured_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home(_: Path) -> NoReturn:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", no_home)
    assert config_path({}).read_text() == ""
    assert config_path({"XDG_CONFIG_HOME": "/x"}) == Path("/x/bittern/config.toml")


def test_where_a_folder_of_the_path_is_a_file_nothing_is_configured(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    app = App(result_action="return_value")
    app.config = (from_file(tmp_path / "home" / "bittern" / "config.toml", app),)
    app.default(lambda *, port=3: port)
    assert app([], exit_on_error=False, print_error=False) == 3


def test_the_file_is_where_the_user_says_or_xdg_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/u")
    assert config_path({}) == Path("/home/u/.config/bittern/config.toml")
    assert config_path({"XDG_CONFIG_HOME": "/x"}) == Path("/x/bittern/config.toml")
    assert config_path({"XDG_CONFIG_HOME": "relative"}) == Path("/home/u/.config/bittern/config.toml")
    assert config_path({"XDG_CONFIG_HOME": "/x", "BITTERN_CONFIG": "my.toml"}) == Path("my.toml")


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    app = App(result_action="return_value")
    app.config = (from_file(tmp_path / "gone.toml", app, must_exist=True),)

    @app.default
    def default(*, port: int = 0) -> int:
        return port

    with pytest.raises(FileNotFoundError):
        app([], exit_on_error=False)
