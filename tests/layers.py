"""Checks the layers of the packages (`[tool.importlinter]`) on the tree that an installation has.

`python -m tests.layers` prints what import-linter finds. In the checkout itself `datasets/` and `methods/`
stand outside `bench/`, where import-linter would not see them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]


def lay_out(target: Path) -> None:
    """Copy every package to where an installation has it, below `target`."""
    words = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(target)]
    words += ["build_py", "--build-lib", str(target)]
    done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)


def check(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the packages below `tree`; the exit code is 0 if every contract is kept."""
    code = "from importlinter.cli import lint_imports_command as lint; lint()"
    words = [sys.executable, "-c", code, str(CHECKOUT / "pyproject.toml"), "--no-cache"]
    return subprocess.run(words, cwd=tree, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as tree:
        lay_out(Path(tree))
        found = check(Path(tree))
        print(found.stdout + found.stderr)
        sys.exit(found.returncode)
