"""Calls made as a user who is not root: root may read and lock everything."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_NOBODY = 65534


def as_other_user(call: Callable[[], T]) -> T:
    """Return what `call` returns, or raise what it raises, in a fork that has no privileges."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        result: tuple[bool, object]
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(_NOBODY)
                os.setuid(_NOBODY)
            result = True, call()
        except BaseException as e:  # raised again below
            result = False, e
        with os.fdopen(send, "wb") as pipe:
            pickle.dump(result, pipe)
        os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        worked, value = pickle.load(pipe)  # our own fork wrote it
    os.waitpid(child, 0)
    if not worked:
        raise value
    found: T = value
    return found
