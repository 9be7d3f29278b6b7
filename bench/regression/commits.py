"""What the git checkout of the current folder knows of commits."""

from __future__ import annotations

import subprocess


def commit_of(ref: str) -> str | None:
    """Return the commit that a tag, a branch or any other name refers to.

    None if the current folder is no checkout, or the checkout does not know the name.
    """
    if ref.startswith("-"):
        return None
    return _git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")


def contains(commit: str, earlier: str) -> bool:
    """Say whether a commit is `earlier`, or was made from it; no if the checkout does not know both."""
    return commit == earlier or _git("merge-base", "--is-ancestor", earlier, commit) is not None


def _git(*words: str) -> str | None:
    """Return what git says, or None if it fails or is not installed."""
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired, ValueError):  # ValueError: a null character
        return None
    return done.stdout.strip() if done.returncode == 0 else None
