"""Debian's Firefox, headless, and its windows."""

import base64
import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.browser.bidi import BiDi, BiDiError
from tests.support.browser.tab import PATIENCE_S, Tab
from tests.support.servers.server import wait_until

__all__ = ["Firefox", "FirefoxTab"]

FIREFOX = "/usr/bin/firefox-esr"

# Starting takes some seconds of CPU time, and more on a busy machine.
START_S = 60.0

PREFERENCES = {
    # Same as for Chromium.
    "ui.prefersReducedMotion": 1,
    "full-screen-api.transition-duration.enter": "0 0",
    "full-screen-api.transition-duration.leave": "0 0",
    "full-screen-api.warning.timeout": 0,
    # One process for pages, none started in advance.
    "fission.autostart": False,
    "dom.ipc.processCount": 1,
    "dom.ipc.processPrelaunch.enabled": False,
    "browser.tabs.remote.separatePrivilegedContentProcess": False,
    "extensions.webextensions.remote": False,
    "network.process.enabled": False,
    "media.rdd-process.enabled": False,
    "media.utility-process.enabled": False,
    # Keep nothing for another start, and do nothing in the background.
    "browser.sessionstore.interval": 3_600_000,
    "browser.sessionstore.resume_from_crash": False,
    "places.history.enabled": False,
    "app.update.enabled": False,
    "browser.search.update": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "extensions.systemAddon.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "accessibility.force_disabled": 1,
    "toolkit.cosmeticAnimations.enabled": False,
    # Connect to loopback only.
    "network.proxy.type": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "browser.safebrowsing.update.enabled": False,
    "app.normandy.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "datareporting.healthreport.uploadEnabled": False,
    "toolkit.telemetry.server": "",
    "browser.newtabpage.enabled": False,
    "browser.startup.page": 0,
    # Services that start with it and are never used take a second of its CPU time.
    "extensions.enabledScopes": 0,
    "extensions.screenshots.disabled": True,
    "extensions.formautofill.addresses.enabled": False,
    "extensions.formautofill.creditCards.enabled": False,
    "screenshots.browser.component.enabled": False,
    "signon.rememberSignons": False,
    "browser.formfill.enable": False,
    "browser.aboutwelcome.enabled": False,
    "browser.ml.enable": False,
    "browser.search.suggest.enabled": False,
    "browser.startup.blankWindow": False,
    "browser.tabs.firefox-view": False,
    "browser.translations.enable": False,
    "browser.uitour.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "privacy.trackingprotection.enabled": False,
    "dom.push.enabled": False,
    "identity.fxaccounts.enabled": False,
    # It would take the focus.
    "browser.download.alwaysOpenPanel": False,
}

KEYS = {
    "Shift": "\ue008",
    "Tab": "\ue004",
    "Enter": "\ue007",
    "Escape": "\ue00c",
    "Space": " ",
    "ArrowLeft": "\ue012",
    "ArrowUp": "\ue013",
    "ArrowRight": "\ue014",
    "ArrowDown": "\ue015",
    "End": "\ue010",
    "Home": "\ue011",
}

# Logged by a page that is left while it reconnects, as when its login has ended.
LEFT = "was interrupted while the page was loading"

# Where to press an element: [x, y], or why it cannot be pressed yet.
PLACE = """async (one) => {
  if (!one.isConnected) return 'it is gone';
  if (one.matches(':disabled')) return 'it is disabled';
  one.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  const box = () => {
    const { x, y, width, height } = one.getBoundingClientRect();
    return [x + width / 2, y + height / 2, width, height];
  };
  const before = box();
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const [x, y, width, height] = box();
  if (before.join() !== [x, y, width, height].join()) return 'it moves';
  if (width === 0 || height === 0) return 'it has no size';
  const hit = document.elementFromPoint(x, y);
  const reached = one.contains(hit) || hit?.closest('label')?.control === one;
  return reached ? [x, y] : `${hit?.outerHTML.slice(0, 80)} covers it`;
}"""

# Visible elements with a role and a name. Firefox's own locator for this walks through the whole
# page and takes more than a second of CPU time.
FIND = """(role, name, inside) => {
  const TAGS = {
    button: 'button, summary', radio: 'input[type=radio]', slider: 'input[type=range]',
  };
  const textOf = (one) => one.innerText.replace(/\\s+/g, ' ').trim();
  const nameOf = (one) => {
    const by = one.getAttribute('aria-labelledby')?.split(' ') ?? [];
    if (by.length > 0) return by.map((id) => textOf(document.getElementById(id))).join(' ');
    if (one.ariaLabel) return one.ariaLabel;
    if (one.labels?.length > 0) return [...one.labels].map(textOf).join(' ');
    return textOf(one) || one.title;
  };
  const plain = role in TAGS ? `:is(${TAGS[role]}):not([role]), ` : '';
  const selector = `:is(${inside}) :is(${plain}[role=${role}])`;
  return [...document.querySelectorAll(selector)].filter((one) => (
    one.checkVisibility({ visibilityProperty: true }) && (name === null || nameOf(one) === name)
  ));
}"""

# Focuses a field by its label and selects its text.
GO_TO_FIELD = """(label, inside) => {
  const isLabel = ({ textContent }) => textContent.trim() === label;
  const named = (one) => [...(one.labels ?? [])].some(isLabel) || one.ariaLabel === label;
  const [field] = [...document.querySelectorAll(`${inside} :is(input, textarea, select)`)]
    .filter((one) => named(one) && one.checkVisibility() && !one.disabled);
  field?.focus();
  field?.select?.();
  return field !== undefined && document.activeElement === field;
}"""

# Replaces the selection with a text, as if pasted: each key press costs 9 ms of CPU time.
PASTE = "(text) => document.execCommand(text ? 'insertText' : 'delete', false, text)"


class Firefox:
    """The browser; start it only once, because that is slow.

    Args:
        folder: For its profile and what it saves.
    """

    def __init__(self, folder: Path) -> None:
        self._profile, self.saved = folder / "profile", folder / "saved"
        for one in (self._profile, self.saved):
            one.mkdir(parents=True)
        lines = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});"
            for name, value in PREFERENCES.items()
        ]
        (self._profile / "user.js").write_text("\n".join(lines))
        self._process = subprocess.Popen(
            [
                *(FIREFOX, "--headless", "--no-remote", "--profile", str(self._profile)),
                *("--remote-debugging-port", "0"),
            ],
            env=os.environ | {"HOME": str(folder), "MOZ_CRASHREPORTER_DISABLE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            url = wait_until(self._address, START_S)
            self._bidi = BiDi(f"{url}/session", START_S)
            wanted = {"alwaysMatch": {"acceptInsecureCerts": True}}
            self._bidi.ask("session.new", capabilities=wanted)
            events = ["log.entryAdded", "browsingContext.downloadEnd"]
            self._bidi.ask("session.subscribe", events=events)
            download = {"type": "allowed", "destinationFolder": str(self.saved)}
            self._bidi.ask("browser.setDownloadBehavior", downloadBehavior=download)
        except BaseException:
            self._process.kill()
            raise
        self._tabs: dict[str, FirefoxTab] = {}
        self._bidi.on_event = self._on_event

    def open_tab(self, width: int, height: int) -> "FirefoxTab":
        """Open a window that shares no data with the others."""
        user = self._bidi.ask("browser.createUserContext")["userContext"]
        tab = FirefoxTab(self._bidi, user, self.saved)
        tab.resize(width, height)
        self._tabs[tab.context] = tab
        return tab

    def stop(self) -> None:
        """End the browser."""
        self._bidi.close()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(PATIENCE_S)

    def _read(self) -> None:
        assert self._process.stdout
        with self._process.stdout as lines:
            self._said.extend(lines)

    def _address(self) -> str | None:
        said = "".join(self._said)
        assert self._process.poll() is None, f"Firefox did not start:\n{said}"
        found = re.search(r"BiDi listening on (ws://\S+)", said)
        return found[1] if found else None

    def _on_event(self, name: str, parameters: dict[str, Any]) -> None:
        source = parameters.get("source", parameters)
        tab = self._tabs.get(source.get("context"))
        if tab:
            tab.take(name, parameters)


class FirefoxTab(Tab):
    """A window of Firefox, opened by :meth:`Firefox.open_tab`."""

    browser = "firefox"
    errors = (BiDiError,)

    def __init__(self, bidi: BiDi, user: str, saved: Path) -> None:
        self._bidi = bidi
        self._user = user
        self._saved: list[str] = []
        self.complaints = []
        # In its own window: tabs of one window hide each other.
        opened = bidi.ask("browsingContext.create", type="window", userContext=user)
        self.context: str = opened["context"]

    def resize(self, width: int, height: int) -> None:
        """Resize the window."""
        size = {"width": width, "height": height}
        self._bidi.ask("browsingContext.setViewport", context=self.context, viewport=size)

    def take(self, name: str, parameters: dict[str, Any]) -> None:
        """Handle an event of this window."""
        if name == "browsingContext.downloadEnd":
            self._saved.append(parameters["filepath"])
        elif parameters["level"] == "error" and LEFT not in str(parameters["text"]):
            self.complaints.append(str(parameters["text"]))

    def open(self, url: str) -> None:
        self._bidi.ask("browsingContext.navigate", context=self.context, url=url, wait="complete")

    def evaluate(self, function: str, *values: Any) -> Any:
        text = self._call(
            f"""async (text) => JSON.stringify(
              (await ({function})(...JSON.parse(text))) ?? null
            )""",
            {"type": "string", "value": json.dumps(values)},
        )
        return json.loads(text)

    def click(self, role: str, name: str, inside: str = "body") -> None:
        why = ""

        def place() -> Any:
            nonlocal why
            where = self.evaluate(
                f"""(...what) => {{
                  const found = ({FIND})(...what);
                  return found.length === 1 ? ({PLACE})(found[0]) : `there are ${{found.length}}`;
                }}""",
                *(role, name, inside),
            )
            why = str(where)
            return None if isinstance(where, str) else where

        try:
            x, y = wait_until(place, PATIENCE_S, every_s=0.05)
        except AssertionError:
            raise AssertionError(f"firefox: cannot click {role} {name!r}: {why}") from None
        pointer = [
            {"type": "pointerMove", "x": round(x), "y": round(y)},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        mouse = {"type": "pointer", "id": "mouse", "actions": pointer}
        self._bidi.ask("input.performActions", context=self.context, actions=[mouse])

    def fill(self, label: str, text: str, inside: str = "body") -> None:
        self.focus(label, inside)
        self.evaluate(PASTE, text)

    def focus(self, label: str, inside: str = "body") -> None:
        self.wait(GO_TO_FIELD, label, inside)

    def count(self, role: str, name: str | None = None) -> int:
        found = self.evaluate(f"(...what) => ({FIND})(...what).length", role, name, "body")
        return int(found)

    def press(self, keys: str) -> None:
        *held, key = [KEYS.get(one, one) for one in keys.split("+")] if keys != "+" else ["+"]
        downs = [{"type": "keyDown", "value": one} for one in (*held, key)]
        ups = [{"type": "keyUp", "value": one} for one in (key, *reversed(held))]
        self._act_by_key(downs + ups)

    def type(self, text: str) -> None:
        self._act_by_key(
            [{"type": kind, "value": one} for one in text for kind in ("keyDown", "keyUp")]
        )

    def save(self, act: Callable[[], None]) -> str:
        before = len(self._saved)
        act()
        self._bidi.wait(lambda: len(self._saved) > before)
        return Path(self._saved[-1]).name

    def screenshot(self) -> bytes:
        answer = self._bidi.ask("browsingContext.captureScreenshot", context=self.context)
        return base64.b64decode(answer["data"])

    def close(self) -> None:
        self._bidi.ask("browser.removeUserContext", userContext=self._user)

    def _call(self, function: str, *arguments: Any) -> Any:
        answer = self._bidi.ask(
            "script.callFunction",
            target={"context": self.context},
            functionDeclaration=function,
            awaitPromise=True,
            arguments=arguments,
        )
        if answer["type"] == "exception":
            raise BiDiError(answer["exceptionDetails"]["text"])
        return answer["result"]["value"]

    def _act_by_key(self, actions: list[dict[str, str]]) -> None:
        keyboard = {"type": "key", "id": "keyboard", "actions": actions}
        self._bidi.ask("input.performActions", context=self.context, actions=[keyboard])
