"""`python -m bench.contract.fresh KIND TARGET...`: imports adapters and prints, as JSON, what that did."""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time

from bench.adapters import registry

_LIBRARIES = ("LD_LIBRARY_PATH", "QT_", "KMP_")
"""How the names of environment variables begin that libraries set for themselves."""


def main(kind: str, *targets: str) -> None:
    """Import files or modules; the last line that is printed is the report."""
    environment, folder, threads = dict(os.environ), os.getcwd(), threading.active_count()  # noqa: PTH109
    before, started = set(sys.modules), time.process_time()
    for target in targets:
        if target.endswith(".py"):
            registry.load(kind, target)
        else:
            importlib.import_module(target)
    seconds = time.process_time() - started
    effects = []
    after = {**environment, **os.environ}
    changed = sorted(k for k, v in after.items() if environment.get(k) != v and not k.startswith(_LIBRARIES))
    if changed:
        effects.append(f"it changes environment variables: {', '.join(changed[:3])}")
    if os.getcwd() != folder:  # noqa: PTH109
        effects.append("it changes the working directory")
    if threading.active_count() > threads:
        effects.append("it starts threads")
    report = {"seconds": seconds, "loaded": sorted(set(sys.modules) - before), "effects": effects}
    print(f"\n{json.dumps(report)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
