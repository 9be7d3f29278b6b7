from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from bench.util.parallel import in_order


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("n", [0, 1, 4, 50])
def test_results_come_in_order_whatever_takes_longest(threads: int, n: int):
    def work(i: int) -> int:
        time.sleep(0.003 if i % 7 == 0 else 0)
        return i * i

    assert list(in_order(work, range(n), threads)) == [i * i for i in range(n)]


def test_work_waits_for_who_takes_the_results():
    asked: list[int] = []

    def items() -> Iterator[int]:
        for i in range(100):
            asked.append(i)
            yield i

    results = in_order(lambda i: i, items(), 3)
    assert next(results) == 0
    assert len(asked) == 4
    assert next(results) == 1
    assert len(asked) == 5
    results.close()  # type: ignore[attr-defined]  # in_order is a generator function
    assert len(asked) == 5


def test_an_error_comes_in_its_turn_and_ends_the_work():
    begun: list[int] = []

    def work(i: int) -> int:
        begun.append(i)
        if i == 3:
            raise ValueError("third")
        return i

    got = []
    with pytest.raises(ValueError, match="third"):  # noqa: PT012  # what came before it counts
        for result in in_order(work, range(100), 2):
            got.append(result)
    assert got == [0, 1, 2]
    assert max(begun) <= 6


def test_threads_work_at_the_same_time():
    both = threading.Barrier(2, timeout=10)
    assert len(list(in_order(lambda _: both.wait(), range(4), 2))) == 4
