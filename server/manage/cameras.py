"""Carries out admins' changes to cameras from the page: add, change, order, remove and undo."""

import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from server.config import models as config
from server.control.control import Control
from server.errors import ConfigError, RequestError
from server.loop.concurrency import ConcurrencyLimit, LimitBusy
from server.manage.catalog import MAX_ADDED, Catalog
from server.manage.form import FormError
from server.manage.lineup import Lineup, Sharing
from server.manage.store import Entry

__all__ = ["Conflict", "ManagedCameras", "Removed"]

log = logging.getLogger(__name__)

UNDO_S = 600.0
MAX_REMOVED = 20

MAX_WAIT_S = 20.0
"""How long a change waits for the previous one."""

# Settings that can be changed without replacing the camera.
ADJUSTABLE = frozenset({"title", "group", "fps", "quality"})

# Settings of a settings file's camera that can be changed on the page.
FILE_CAMERA_KEYS = frozenset({"title", "group"})

Notify = Callable[[str, str, str | None, str | None], None]


class Conflict(RequestError):
    """Somebody else has changed the same camera; ``current`` is its present state."""

    def __init__(self, message: str, current: Mapping[str, Any] | None) -> None:
        super().__init__("unavailable", message)
        self.current = current


@dataclass(frozen=True)
class Removed:
    """A removed camera, as long as the removal can be undone.

    Attributes:
        entry: Its settings, as stored.
        kept: Operators' changes to it.
        position: Its place in the order.
        until: When the undo expires, in monotonic seconds.
    """

    entry: Entry
    kept: Mapping[str, Any]
    position: int
    until: float


class ManagedCameras:
    """Carries out admins' changes: stores each one first, then changes the cameras.

    Args:
        catalog: The settings of all cameras of this process.
        lineup: The cameras themselves.
        control: Keeps operators' changes.
        sharing: Shares cameras with other nodes; None without a bus.
        notify: Notifies every dashboard; called with level, message, camera and user.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        catalog: Catalog,
        lineup: Lineup,
        control: Control,
        sharing: Sharing | None,
        notify: Notify,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.catalog = catalog
        self._lineup = lineup
        self._control = control
        self._sharing = sharing
        self._notify = notify
        self._clock = clock
        self._removed: dict[str, Removed] = {}
        self._turn = ConcurrencyLimit(1, MAX_WAIT_S)

    def removed(self) -> list[dict[str, Any]]:
        """Return the removed cameras that can be brought back, latest first."""
        self._expire()
        return [
            {
                "undo": key,
                "name": one.entry["name"],
                "title": one.entry.get("title") or one.entry["name"],
                "seconds": round(one.until - self._clock()),
            }
            for key, one in reversed(self._removed.items())
        ]

    # Changes.

    def add(self, values: Mapping[str, Any], who: str) -> dict[str, Any]:
        """Add a camera.

        Raises:
            FormError: If the settings are invalid.
            RequestError: If there are too many cameras, or it cannot be stored.
        """
        with self._exclusive():
            entry, camera = self.catalog.read(values)
            self._check_free(camera.name)
            self._check_limit()
            self._insert(entry, camera, len(self.catalog.active), None)
            self._tell(f"{camera.title} was added", camera.name, who)
            return self.catalog.describe(camera.name)

    def change(
        self, name: str, values: Mapping[str, Any], revision: str | None, who: str
    ) -> dict[str, Any]:
        """Change a camera's settings, perhaps including its name.

        Args:
            name: The camera.
            values: All its settings; for a camera of the settings file, title and group.
            revision: The revision that the admin has seen.
            who: The admin.

        Raises:
            Conflict: If it was changed or removed meanwhile.
            FormError: If the settings are invalid.
            RequestError: If it cannot be stored.
        """
        with self._exclusive():
            self._check(name, revision)
            if name in self.catalog.file and name not in self.catalog.problems:
                return self._change_of_file(name, values, who)
            entry, camera = self.catalog.read(self.catalog.with_secrets(values, name))
            if camera.name != name or name in self.catalog.problems:
                self._check_free(camera.name, besides=name)
            if name in self.catalog.problems:
                self._check_limit()
                self._insert(entry, camera, len(self.catalog.active), None, instead_of=name)
            elif camera.name != name:
                self._rename(name, entry, camera)
            else:
                self._update(entry, camera)
            self._tell(f"{camera.title} was changed", camera.name, who)
            return self.catalog.describe(camera.name)

    def remove(self, name: str, revision: str | None, who: str) -> str:
        """Remove a camera added on the page; return the key for :meth:`undo`.

        Raises:
            Conflict: If it was changed or removed meanwhile.
            RequestError: If it was not added on the page, or the removal cannot be stored.
        """
        with self._exclusive():
            self._check(name, revision)
            if name not in self.catalog.store.entries:
                raise RequestError(
                    "forbidden", f"the {self.catalog.place} defines this camera; remove it there"
                )
            entry = self.catalog.store.entries[name]
            position = list(self.catalog.active).index(name) if name in self.catalog.active else 0
            title = entry.get("title") or name
            kept = self._delete(name)
            key = secrets.token_hex(8)
            self._removed[key] = Removed(entry, kept, position, self._clock() + UNDO_S)
            self._expire()
            self._notify("info", f"{title} was removed", name, who)
            log.info("camera=%s %s was removed by %s", name, title, who)
            return key

    def undo(self, key: str, who: str) -> dict[str, Any]:
        """Bring back a removed camera, with its place and operators' changes.

        Raises:
            RequestError: If it is too late, or there are too many cameras.
            FormError: If the name is taken by now, or the settings are no longer valid.
        """
        with self._exclusive():
            self._expire()
            removed = self._removed.get(key)
            if removed is None:
                raise RequestError("unavailable", "it was removed too long ago to bring it back")
            entry, camera = self.catalog.read(removed.entry)
            self._check_free(camera.name)
            self._check_limit()
            self._insert(entry, camera, removed.position, removed.kept)
            self._removed.pop(key, None)
            self._tell(f"{camera.title} was brought back", camera.name, who)
            return self.catalog.describe(camera.name)

    def order(self, names: list[str], who: str) -> None:
        """Put the cameras into this order, for everybody.

        Raises:
            Conflict: If these are not the names of all cameras of this process.
            RequestError: If it cannot be stored.
        """
        with self._exclusive():
            if sorted(names) != sorted(self.catalog.active):
                raise Conflict("a camera was added, renamed or removed meanwhile", None)
            with self._saving():
                self.catalog.store.order = list(names)
            self.catalog.sort()
            self._lineup.order(names)
            self._lineup.on_list()
            self._notify("info", "The order of the cameras was changed", None, who)

    # Steps of a change: it is stored first, then carried out.

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Run one change at a time: each waits for the disk and for sources."""
        if not self.catalog.available:
            raise RequestError(
                "unavailable", "this node shows other nodes' cameras only; add them there"
            )
        try:
            with self._turn.take():
                yield
        except LimitBusy:
            raise RequestError("unavailable", "another change is not finished; try again") from None

    @contextmanager
    def _saving(self) -> Iterator[None]:
        """Save what the block changes in the store; if that fails, revert it."""
        before = self.catalog.store.snapshot()
        try:
            yield
            self.catalog.store.save()
        except FormError:
            self.catalog.store.revert(before)
            raise
        except ConfigError as error:
            self.catalog.store.revert(before)
            raise RequestError("unavailable", f"Nothing was changed: {error}") from None

    def _insert(
        self,
        entry: Entry,
        camera: config.Camera,
        position: int,
        kept: Mapping[str, Any] | None,
        instead_of: str | None = None,
    ) -> None:
        """Start using a camera, perhaps in place of an unusable entry."""
        self._claim(camera.name)
        names = list(self.catalog.active)
        names.insert(position, camera.name)
        with self._saving():
            if instead_of is not None:
                del self.catalog.store.entries[instead_of]
            self.catalog.store.entries[camera.name] = entry
            self.catalog.store.order = names
        if instead_of is not None:
            del self.catalog.problems[instead_of]
        self._lineup.add(camera, names, self._control, self._sharing, kept)
        self.catalog.store.touch(f"+{camera.name}")
        self.catalog.active[camera.name] = camera
        self.catalog.sort()

    def _claim(self, name: str) -> None:
        try:
            self._lineup.claim(name, self._sharing)
        except ConfigError as error:  # Another node has it.
            raise FormError({"name": str(error)}) from None

    def _delete(self, name: str) -> dict[str, Any]:
        """Remove a camera added on the page; return operators' changes to it."""
        unusable = self.catalog.problems.get(name)
        with self._saving():
            del self.catalog.store.entries[name]
        self.catalog.store.touch(f"+{name}")
        if unusable is not None:
            del self.catalog.problems[name]
            return {}
        del self.catalog.active[name]
        kept = self._control.forget(name)
        self._lineup.remove(name, self._sharing)
        return kept

    def _rename(self, name: str, entry: Entry, camera: config.Camera) -> None:
        """Replace a camera with one of another name, at the same place."""
        self._claim(camera.name)
        catalog = self.catalog
        names = [camera.name if one == name else one for one in catalog.active]
        with self._saving():
            catalog.store.entries = {
                (camera.name if one == name else one): (entry if one == name else other)
                for one, other in catalog.store.entries.items()
            }
            catalog.store.order = names
        catalog.store.touch(f"+{name}")
        catalog.active.pop(name)
        catalog.active[camera.name] = camera
        catalog.sort()
        kept = self._control.forget(name)
        # Remove before adding, because a device cannot be opened twice.
        self._lineup.remove(name, self._sharing)
        self._lineup.add(camera, names, self._control, self._sharing, kept)

    def _update(self, entry: Entry, camera: config.Camera) -> None:
        name = camera.name
        before, written = self.catalog.active[name], self.catalog.store.entries[name]
        with self._saving():
            self.catalog.store.entries[name] = entry
        self.catalog.store.touch(f"+{name}")
        self.catalog.active[name] = camera
        differing = {key for key in entry | written if entry.get(key) != written.get(key)}
        if differing <= ADJUSTABLE:
            self._lineup.adjust(before, camera, self._control)
        else:
            self._lineup.replace(camera, self._control, self._sharing)

    def _change_of_file(self, name: str, values: Mapping[str, Any], who: str) -> dict[str, Any]:
        source = self.catalog.file[name].address.public
        fixed = {"name": name, "source": source}
        wrong = [
            key
            for key, value in values.items()
            if (value != fixed[key] if key in fixed else key not in FILE_CAMERA_KEYS)
        ]
        if wrong:
            why = f"is set by the {self.catalog.place}; change it there"
            raise FormError(dict.fromkeys(wrong, why))
        change, _ = self.catalog.read(dict(values) | {"name": name, "source": "test:"})
        # Do not store values equal to the file's, so that later changes of the file take effect.
        own = self.catalog.file[name]
        kept = {key: change[key] for key in change if key in FILE_CAMERA_KEYS}
        kept = {key: value for key, value in kept.items() if value != getattr(own, key)}
        with self._saving():
            self.catalog.store.changes[name] = kept
        self.catalog.store.touch(name)
        before = self.catalog.active[name]
        camera = self.catalog.active[name] = self.catalog.with_changes(self.catalog.file[name])
        self._lineup.adjust(before, camera, self._control)
        self._tell(f"{camera.title} was changed", name, who)
        return self.catalog.describe(name)

    # Checks.

    def _check(self, name: str, revision: str | None) -> None:
        """Raise Conflict if a camera is gone, or has changed since the admin saw it."""
        known = name in self.catalog.store.entries or name in self.catalog.file
        if not known:
            raise Conflict(f"the camera {name[:40]!r} was removed or renamed meanwhile", None)
        unusable = name in self.catalog.problems
        current = (self.catalog.describe_entry if unusable else self.catalog.describe)(name)
        if revision is not None and revision != current["revision"]:
            raise Conflict("somebody else has changed this camera since you opened it", current)

    def _check_free(self, name: str, besides: str | None = None) -> None:
        taken = name in self._lineup.cameras or name in self.catalog.store.entries
        if taken and (name != besides or name in self.catalog.file):
            raise FormError({"name": "another camera has this name"})

    def _check_limit(self) -> None:
        if self.catalog.is_full:
            raise RequestError(
                "unavailable",
                f"there are already {MAX_ADDED} cameras added on the page, the maximum; "
                "more can be named in the settings file",
            )

    def _expire(self) -> None:
        now = self._clock()
        latest = list(self._removed.items())[-MAX_REMOVED:]
        self._removed = {key: one for key, one in latest if one.until > now}

    def _tell(self, message: str, camera: str, who: str) -> None:
        log.info("camera=%s %s by %s", camera, message, who)
        self._notify("info", message, camera, who)
