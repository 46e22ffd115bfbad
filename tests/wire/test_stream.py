from bittern.wire.stream import LinkLost, LossKind


def test_the_end_of_a_link_reads_as_a_sentence() -> None:
    assert str(LinkLost(LossKind.RESET)) == "the connection was reset"
    assert str(LinkLost(LossKind.UNREACHABLE, "No route")) == "the address cannot be reached (No route)"
