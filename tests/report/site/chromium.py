"""A headless Chromium, driven through a pipe by its DevTools protocol."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_WAIT_S = 60.0
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # the pages are our own, and containers forbid the sandbox
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no network at all
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)


def find() -> str | None:
    """Return the browser: `$CUTJOIN_CHROMIUM`, else the first that is on the path."""
    return os.environ.get("CUTJOIN_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """One browser with one page."""

    def __init__(self, program: str, profile: Path) -> None:
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        for end in (to_browser, from_browser):
            os.set_inheritable(end, True)
        command = [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        pipes = f'exec 3<&{to_browser} 4>&{from_browser}; exec "$@"'
        self._process = subprocess.Popen(
            ["bash", "-c", pipes, "bash", *command],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer, self._number = b"", 0
        self.events: list[dict[str, Any]] = []
        """What the browser said unasked, since the page was opened."""
        target = next(t for t in self._send("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = self._send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session: str | None = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    _session: str | None = None

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        os.close(self._out)  # the browser ends when its pipe does
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol on the page."""
        return self._send(method, **params)

    def open(self, file: Path, anchor: str = "") -> None:
        """Open a file and wait until it has loaded."""
        self.events.clear()
        self.call("Page.navigate", url=file.resolve().as_uri() + anchor)
        self.until(lambda: any(e["method"] == "Page.loadEventFired" for e in self.events), "the page to load")
        self.js("new Promise((f) => requestAnimationFrame(() => requestAnimationFrame(f)))")

    def js(self, expression: str) -> Any:
        """Return the value of an expression, awaited. An exception there is one here."""
        said = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in said:
            raise AssertionError(said["exceptionDetails"])
        return said["result"].get("value")

    def until(self, true: Any, what: str) -> None:
        """Wait until a function returns true, or a JavaScript expression is."""
        end = time.monotonic() + _WAIT_S
        while not (self.js(true) if isinstance(true, str) else true()):
            if time.monotonic() > end:
                raise AssertionError(f"waited in vain for {what}")
            self._pump(0.05)

    def key(self, key: str, *, code: int = 0, text: str = "") -> None:
        """Press a key where the focus is."""
        down = {"type": "keyDown", "key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", **down, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """Send one event of the mouse: mouseMoved, mousePressed, mouseReleased, mouseWheel."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """Send one event of fingers: touchStart, touchMove, touchEnd."""
        self.call("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y} for x, y in points])

    def window(self, width: int, height: int, *, dark: bool = False, touch: bool = False) -> None:
        """Take the shape of a window or a phone."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, file: Path, *, whole: bool = False) -> None:
        """Save what is to be seen, or the whole page, as PNG."""
        said = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(said["data"]))

    def complaints(self) -> list[str]:
        """Return what the console, the policy and failed requests said since the page was opened."""
        found = []
        for event in self.events:
            said = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(str(said["exceptionDetails"]))
            elif event["method"] == "Runtime.consoleAPICalled":
                found.append(f"{said['type']}: {said['args']}")
            elif event["method"] == "Log.entryAdded":
                found.append(said["entry"]["text"])
            elif event["method"] == "Network.loadingFailed":
                found.append(f"failed: {said['errorText']}")
        return found

    def requests(self) -> list[str]:
        """Return the addresses that the page asked for since it was opened."""
        return [
            e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"
        ]

    def _send(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + _WAIT_S
        while time.monotonic() < end:
            for answer in self._pump(1.0):
                if answer.get("id") == self._number:
                    assert "error" not in answer, (method, answer["error"])
                    return dict(answer["result"])
        raise AssertionError(f"{method}: the browser does not answer")

    def _pump(self, seconds: float) -> list[dict[str, Any]]:
        """Read what there is; keep events, return answers."""
        ready, _, _ = select.select([self._in], [], [], seconds)
        if not ready:
            return []
        data = os.read(self._in, 1 << 20)
        assert data, "the browser ended"
        *messages, self._buffer = (self._buffer + data).split(b"\0")
        parsed = [json.loads(m) for m in messages]
        self.events += [m for m in parsed if "method" in m]
        return [m for m in parsed if "id" in m]
