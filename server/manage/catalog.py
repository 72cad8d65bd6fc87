"""The settings of all cameras of this process, from the settings file and from the page."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from server.config import models as config
from server.config.models import CameraSettings, Settings
from server.manage.form import FormError, read_camera
from server.manage.masked_passwords import restore_secrets
from server.manage.store import Entry, Store

__all__ = ["MAX_ADDED", "Catalog"]

MAX_ADDED = 32
"""The most cameras that admins can add. Each needs native threads, processes and memory."""


class Catalog:
    """Each camera's settings. Nothing here touches the cameras themselves.

    Args:
        settings: The server's. Cameras that a file or command names cannot be removed on the page.

    Attributes:
        store: The changes made on the page.
        available: Whether this node has cameras of its own, not only those of other nodes.
        file: The cameras that the settings file or the command line names, as written there.
        place: Where those are named, for people: "settings file" or "command line".
        active: The complete settings of the cameras in use, by name and in their order.
        problems: Why cameras added on the page are not in use, by name.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.store = Store(settings.state_dir)
        self.available = bool(settings.cameras)
        self.file: dict[str, config.Camera] = {}
        self.place = "command line" if settings.on_command_line else "settings file"
        self.active: dict[str, config.Camera] = {}
        self.problems: dict[str, str] = {}
        if self.available:
            self._load()

    def _load(self) -> None:
        self.store.load()
        if self._settings.named:
            self.file = {camera.name: camera for camera in self._settings.cameras}
        elif self.store.fresh:
            # It is only the default, so it can be removed.
            self.store.entries = {
                one.name: {"name": one.name, "title": one.title, "source": one.address.public}
                for one in self._settings.cameras
            }
        self.active = {name: self.with_changes(camera) for name, camera in self.file.items()}
        for name, entry in self.store.entries.items():
            if name in self.file:
                self.problems[name] = f"the {self.place} has a camera of the same name"
            elif self.is_full:
                self.problems[name] = f"there are {MAX_ADDED} cameras from the page already"
            else:
                try:
                    self.active[name] = self.read(entry)[1]
                except FormError as error:
                    self.problems[name] = str(error)
        self.sort()

    def with_changes(self, camera: config.Camera) -> config.Camera:
        """Return a camera of the settings file with the changes made on the page."""
        change = self.store.changes.get(camera.name, {})
        try:
            given = CameraSettings.model_validate({"name": camera.name, "source": "test:"} | change)
        except ValueError:
            return camera
        return replace(camera, title=given.title or camera.title, group=given.group or camera.group)

    def read(self, values: Mapping[str, Any]) -> tuple[Entry, config.Camera]:
        """Return a form's entry for the store and the complete settings; see `read_camera`."""
        return read_camera(values, self._settings.server, self._settings.media_folder)

    def sort(self) -> None:
        """Put the cameras in use into the stored order."""
        order = {name: index for index, name in enumerate(self.store.order)}
        names = sorted(self.active, key=lambda name: order.get(name, len(order)))
        self.active = {name: self.active[name] for name in names}

    def describe_all(self) -> list[dict[str, Any]]:
        """Return every camera of this process, in order; unusable ones come last."""
        unusable = [name for name in self.store.entries if name in self.problems]
        own = [self.describe(name) for name in self.active]
        return own + [self.describe_entry(name) for name in unusable]

    def describe(self, name: str) -> dict[str, Any]:
        """Describe a camera in use, without its password."""
        if name in self.file:
            camera = self.active[name]
            return {
                "name": name,
                "managed": "file",
                "place": self.place,
                "revision": self.store.revision(name),
                "problem": None,
                "settings": {
                    "name": name,
                    "title": camera.title,
                    "group": camera.group,
                    "source": camera.address.public,
                },
            }
        return self.describe_entry(name)

    def describe_entry(self, name: str) -> dict[str, Any]:
        """Describe a camera added on the page, in use or not, without its password."""
        entry = self.store.entries[name]
        camera = None if name in self.problems else self.active.get(name)
        # In an unusable entry, any part could be the password.
        source = camera.address.public if camera else "···"
        return {
            "name": name,
            "managed": "page",
            "place": "page",
            "revision": self.store.revision(f"+{name}"),
            "problem": self.problems.get(name),
            "settings": entry | {"source": source},
        }

    def complete(self, values: Mapping[str, Any], name: str | None = None) -> config.Camera:
        """Return a form's complete settings without saving it.

        Args:
            values: The form.
            name: The camera being changed; its password replaces the dots.

        Raises:
            FormError: If they are invalid.
        """
        return self.read(self.with_secrets(values, name))[1]

    def uses(self, source: config.Camera) -> str | None:
        """Return the camera that uses the same device, which cannot be opened twice, or None."""
        target = source.address
        if target.scheme != "device":
            return None
        same = (
            name
            for name, one in self.active.items()
            if (one.address.scheme, one.address.target) == (target.scheme, target.target)
        )
        return next(same, None)

    def with_secrets(self, values: Mapping[str, Any], name: str | None) -> dict[str, Any]:
        """Return a form with the passwords in place of the dots."""
        given = dict(values)
        source = given.get("source")
        if not isinstance(source, str) or name is None or name not in self.store.entries:
            return given
        shown = self.describe_entry(name)["settings"]["source"]
        known = str(self.store.entries[name].get("source", ""))
        return given | {"source": restore_secrets(source, shown, known)}

    @property
    def is_full(self) -> bool:
        """Whether the page has the maximum number of cameras."""
        return len(self.active) - len(self.file) >= MAX_ADDED
