from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.records.results import Results
from bench.records.store import Store
from bench.report.site.build import Built, build_site
from bench.report.site.suite import SiteSuite
from tests.report.site.chromium import NAMES, Chromium, find
from tests.report.site.made import Made, Wish, make


def built(made: Made, wish: Wish, out: Path, most: int = 30_000) -> Built:
    """Build the site of one suite."""
    results = Results(made.results, wish.suite)
    suite = SiteSuite((f"{wish.suite}.yaml",), results, results.read_plan())
    return build_site([suite], Store(made.store), out, "pca", most, lambda *_: None)


def page(out: Path, method: str) -> Path:
    """Return the page of a method."""
    (found,) = out.glob(f"*/*-{method}-*.html")
    return found


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Return a headless Chromium. Close nothing; every test opens its own page."""
    program = find()
    if program is None:
        pytest.skip(f"no Chromium: none of {', '.join(NAMES)} on the path, and $CUTJOIN_CHROMIUM is not set")
    with Chromium(program, tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture
def desk(browser: Chromium) -> Chromium:
    """Return the browser with the window of a desk, light, nothing kept of earlier pages."""
    browser.window(1200, 900)
    browser.call("Emulation.setFocusEmulationEnabled", enabled=True)
    return browser


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the site of a small suite. Read it only."""
    root, wish = tmp_path_factory.mktemp("site"), Wish(methods=("good", "poor", "worst"))
    built(make(root, wish), wish, root / "out")
    return root / "out"
