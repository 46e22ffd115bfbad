import pytest

from docs.interop_table import WAYS, Fact, replaced, table, ways_table


def fact(client: str, role: str, torrent: str, *, passed: bool = True) -> Fact:
    return Fact(client=client, version="1.0", role=role, torrent=torrent, passed=passed)


def test_a_client_has_one_row_and_a_torrent_one_column() -> None:
    facts = [
        fact("b", "seed", "v1 single"),
        fact("a", "seed", "v1 single"),
        fact("a", "leecher", "v1 single"),
        fact("a", "leecher", "v1 multi"),
    ]
    assert table(facts).splitlines() == [
        "| client | v1 multi | v1 single |",
        "|---|---|---|",
        "| a 1.0 | to | from, to |",
        "| b 1.0 |  | from |",
    ]


def test_one_failure_strikes_a_role_out() -> None:
    facts = [fact("a", "seed", "v1"), fact("a", "seed", "v1", passed=False), fact("a", "leecher", "v1")]
    assert table(facts).splitlines()[-1] == "| a 1.0 | ~~from~~, to |"


def test_only_what_stands_between_the_comments_changes() -> None:
    text = "before\n<!-- interop -->\nold\n<!-- /interop -->\nafter\n"
    assert replaced(text, "new\n") == "before\n<!-- interop -->\nnew\n<!-- /interop -->\nafter\n"


def test_a_readme_without_the_comments_is_an_error() -> None:
    with pytest.raises(ValueError, match="interop"):
        replaced("nothing here\n", "new\n")


def test_a_way_to_be_connected_is_a_column_of_the_other_table() -> None:
    facts = [fact("a", role, "v1 single") for role in ("seed", "seed", "leecher")]
    facts[1]["way"] = facts[2]["way"] = "uTP, MSE, IPv6"
    assert table(facts).splitlines()[-1] == "| a 1.0 | from |"
    assert ways_table(facts).splitlines() == ["| client | uTP, MSE, IPv6 |", "|---|---|", "| a 1.0 | from, to |"]
    text = "<!-- interop -->\n1\n<!-- /interop -->\n<!-- ways -->\n2\n<!-- /ways -->\n"
    assert replaced(text, "new\n", WAYS) == text.replace("2", "new")
