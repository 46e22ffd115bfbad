from bittern.base.geometry import BLOCK
from bittern.engine.download.slabs import SlabPool


def test_blocks_of_a_slab_are_views_of_its_memory() -> None:
    pool = SlabPool(2 * BLOCK + 10, 1)
    slab = pool.take()
    assert slab is not None
    assert [len(block) for block in slab.blocks] == [BLOCK, BLOCK, 10]
    slab.blocks[1][0] = 7
    assert slab.memory[BLOCK] == 7


def test_there_are_never_more_slabs_than_the_limit() -> None:
    pool = SlabPool(BLOCK, 2)
    first, second = pool.take(), pool.take()
    assert first is not None
    assert second is not None
    assert (pool.take(), pool.exhausted, pool.used) == (None, True, 2)
    pool.give(first)
    assert (pool.exhausted, pool.used) == (False, 1)
    assert pool.take() is first


def test_what_came_back_last_is_warm_and_goes_out_first() -> None:
    pool = SlabPool(BLOCK, 3)
    slabs = [slab for slab in (pool.take() for _ in range(3)) if slab is not None]
    for slab in slabs:
        pool.give(slab)
    assert [pool.take() for _ in range(3)] == slabs[::-1]


def test_only_so_many_idle_slabs_are_kept() -> None:
    pool = SlabPool(BLOCK, 5, keep_bytes=BLOCK)
    slabs = [slab for slab in (pool.take() for _ in range(5)) if slab is not None]
    for slab in slabs:
        pool.give(slab)
    assert pool.take() is slabs[0]
    assert pool.take() not in slabs
