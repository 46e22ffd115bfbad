from bittern.io.chance import SeededChance


def test_the_same_seed_gives_each_part_the_same_stream() -> None:
    one, two = SeededChance(7), SeededChance(7)
    assert one.rng_for("picker", b"x").random() == two.rng_for("picker", b"x").random()
    one.rng_for("choker").random()
    assert one.rng_for("picker", b"x").random() == two.rng_for("picker", b"x").random()


def test_parts_keys_and_seeds_have_streams_of_their_own() -> None:
    streams = [
        SeededChance(seed).rng_for(part, key).random()
        for seed in (1, 2)
        for part in ("picker", "choker")
        for key in (b"", b"x")
    ]
    assert len(set(streams)) == 8


def test_without_a_seed_one_is_drawn_and_kept() -> None:
    one, two = SeededChance(), SeededChance()
    assert one.seed != two.seed
    assert SeededChance(one.seed).rng_for("a").random() == one.rng_for("a").random()


def test_entropy_is_not_repeatable() -> None:
    assert len(SeededChance(1).entropy(20)) == 20
    assert SeededChance(1).entropy(20) != SeededChance(1).entropy(20)
