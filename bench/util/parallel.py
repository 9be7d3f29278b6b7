"""Work on many items in threads, yielding results in order with few of them in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(work: Callable[[Item], Result], items: Iterable[Item], threads: int = 1) -> Iterator[Result]:
    """Yield `work(item)` of each item, in the order of `items`, computed in `threads` threads.

    At most `threads` + 2 results are in memory at a time, including the one the caller works on, so a slow
    consumer slows the work down. An exception is raised at its item's turn; items not yet started are then
    cancelled, and running ones are waited for.
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
