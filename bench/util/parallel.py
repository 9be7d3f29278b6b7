"""Work on many items in threads, with results in order and few of them in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(work: Callable[[Item], Result], items: Iterable[Item], threads: int = 1) -> Iterator[Result]:
    """Yield `work(item)` of each item, in the order of `items`, computed in `threads` threads.

    At most `threads` + 2 results are in memory at a time, the one the caller works on included: who
    takes them slowly slows the work down. An exception comes up in its item's turn; what waits then
    is never begun, and what runs is waited for.
    """
    begun: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(max(1, threads)) as pool:
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) > threads:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()
