"""Headless Chromium on one page, by the DevTools protocol over a pipe: keys, composed Hangul, focus, pictures."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

_KEYS = (
    {"Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, ""), "/": (191, "/")}
    | {f"Arrow{side}": (37 + place, "") for place, side in enumerate(("Left", "Up", "Right", "Down"))}
    | {key: (ord(key.upper()), key) for key in "012s"}
)
"""Key -> its code, and what it types."""
_PATIENCE = 60
"""Seconds until something that should be true by now is called false."""
_LIFE = 300
"""Seconds until a browser that hangs is ended."""


class Browser:
    """A context manager.

    Args:
        folder: For its profile.
        language: What it asks pages for.
    """

    def __init__(self, folder: Path, language: str = "ko") -> None:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run"]
        self._arguments = [*options, f"--accept-lang={language}", f"--user-data-dir={folder}"]
        self._session: str | None = None
        self._number, self._held = 0, b""

    def __enter__(self) -> Browser:
        # The protocol is spoken on descriptors 3 and 4.
        shell = 'exec chromium "$@" 3<&0 4>&1 </dev/null >/dev/null'
        self._process = subprocess.Popen(
            ["sh", "-c", shell, "chromium", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._end = threading.Timer(_LIFE, self._process.kill)
        self._end.start()
        page = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        return self

    def __exit__(self, *_: object) -> None:
        self._end.cancel()
        self._process.kill()
        self._process.communicate()

    def open(self, address: str) -> None:
        """Go to a page and wait for it."""
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'")

    def tell(self, expression: str) -> Any:
        """What a JavaScript expression is on the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, expression: str) -> None:
        """Until an expression is true."""
        until = time.monotonic() + _PATIENCE
        while not self.tell(expression):
            assert time.monotonic() < until, f"never true: {expression}"
            time.sleep(0.02)

    def saved(self, path: Path) -> Path:
        """A file that the page offers for download, once it is there; ``download_to`` says where to."""
        until = time.monotonic() + _PATIENCE
        while not path.exists():
            assert time.monotonic() < until, f"never saved: {path.name}"
            time.sleep(0.02)
        return path

    def download_to(self, folder: Path) -> None:
        """Where files go that pages offer for download."""
        self.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    def press(self, *keys: str) -> None:
        """Press and release keys, one after the other."""
        for key in keys:
            code, text = _KEYS[key]
            for kind in ("keyDown", "keyUp"):
                self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, text=text)

    def compose(self, text: str) -> None:
        """Text as an input method shows it before it is committed."""
        self.call("Input.imeSetComposition", text=text, selectionStart=len(text), selectionEnd=len(text))

    def commit(self, text: str) -> None:
        """Text as an input method commits it, in place of what is being composed."""
        self.call("Input.insertText", text=text)

    def picture(self, path: Path, width: int, height: int, *, dark: bool = False) -> None:
        """A PNG of the page in a window of this many pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the DevTools protocol; its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message).encode() + b"\0")
        self._process.stdin.flush()
        while (answer := self._next()).get("id") != self._number:
            pass  # events
        assert "error" not in answer, (method, answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        assert self._process.stdout
        while b"\0" not in self._held:
            more = self._process.stdout.read1(1 << 16)  # type: ignore[attr-defined]
            assert more, "the browser has ended"
            self._held += more
        message, _, self._held = self._held.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found
