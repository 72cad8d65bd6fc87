"""This process's own cameras, which are added, replaced and removed while the others run."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Protocol

from server.capture.camera import Camera
from server.capture.interface import CameraInterface
from server.config import models as config
from server.control.control import Control
from server.delivery.fanout import Fanout
from server.loop import hub

__all__ = ["Lineup", "Sharing", "native_threads"]

log = logging.getLogger(__name__)

# How long a replaced or removed camera may take to release its source.
RELEASE_S = 4.0


class Sharing(Protocol):
    """Shares cameras with other nodes; see :class:`server.cluster.node.Node`."""

    def claim_one(self, name: str) -> int: ...

    def release_one(self, name: str) -> None: ...

    def share(self, camera: Camera, fanout: Fanout) -> None: ...

    def unshare(self, name: str) -> None: ...


class Lineup:
    """The cameras of a node.

    Args:
        server: The server's settings.
        cameras: The initial cameras.

    Attributes:
        own: The cameras of this process by name, in their order.
        cameras: The own cameras, then other nodes' cameras that are shown here.
        fanouts: Of all cameras, by name.
        on_change: Called with a camera of ours whose STATE has changed.
        on_notice: Called with level, message and camera.
        on_list: Called when a camera was added or the order has changed.
        on_replaced: Called with the fanout whose camera was replaced.
        on_removed: Called with the name of a camera that was removed.
    """

    def __init__(self, server: config.ServerSettings, cameras: Iterable[config.Camera]) -> None:
        self._server = server
        self.on_change: Callable[[Camera], None] = lambda camera: None
        self.on_notice: Callable[[str, str, str], None] = lambda level, message, camera: None
        self.on_list: Callable[[], None] = lambda: None
        self.on_replaced: Callable[[Fanout], None] = lambda fanout: None
        self.on_removed: Callable[[str], None] = lambda name: None
        self._settings: dict[str, config.Camera] = {}
        self.own = {one.name: self._make(one) for one in cameras}
        self.cameras: dict[str, CameraInterface] = dict(self.own)
        self.fanouts = {name: Fanout(camera) for name, camera in self.own.items()}
        self._last_seqs: dict[str, int] = {}  # The last frame numbers of removed cameras.

    def _make(self, settings: config.Camera) -> Camera:
        self._settings[settings.name] = settings
        camera = Camera(settings, self._server)
        camera.on_change = lambda camera: self.on_change(camera)
        camera.on_notice = lambda camera, level, message: self.on_notice(
            level, message, camera.name
        )
        return camera

    def add(
        self,
        settings: config.Camera,
        order: Iterable[str],
        control: Control,
        sharing: Sharing | None,
        kept: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a camera; its source is opened when somebody watches.

        Args:
            settings: Complete settings; the name must be free.
            order: The names of our own cameras, including this one.
            control: Keeps operators' changes.
            sharing: Shares cameras with other nodes; None without a bus.
            kept: Operators' earlier changes to it.

        Raises:
            ConfigError: If another node has the name; see :meth:`claim`.
        """
        name = settings.name
        seq = self.claim(name, sharing)
        camera = self._make(settings)
        # Clients remember the last number they received under that name.
        camera.numbering.continue_from(max(seq, self._last_seqs.get(name, 0)))
        control.take_in(camera, kept)
        fanout = Fanout(camera)
        self.own[name], self.cameras[name], self.fanouts[name] = camera, camera, fanout
        self.order(order)
        self._grow_pool()
        camera.open()
        fanout.open()
        if sharing:
            sharing.share(camera, fanout)
        self.on_list()

    def claim(self, name: str, sharing: Sharing | None) -> int:
        """Claim the name of a camera to be added; return the number its frames continue from.

        Raises:
            ConfigError: If another node has it, or the bus is unavailable.
        """
        return sharing.claim_one(name) if sharing else 0

    def replace(self, settings: config.Camera, control: Control, sharing: Sharing | None) -> None:
        """Replace a camera with one of other settings; its viewers stay."""
        name = settings.name
        before, fanout = self.own[name], self.fanouts[name]
        camera = self._make(settings)
        camera.numbering.continue_from(before.seq)
        control.take_in(camera)
        self.own[name] = self.cameras[name] = camera
        self._silence(before)
        if sharing:
            sharing.unshare(name)
        fanout.take_over(camera)
        self.on_replaced(fanout)
        self.on_list()
        # Close before opening: it may be the same device, which cannot be opened twice.
        self._close(before)
        # The old camera may have numbered another frame meanwhile.
        camera.numbering.continue_from(before.seq)
        if self.own.get(name) is not camera:
            return  # Replaced or removed meanwhile.
        self._grow_pool()
        camera.open()
        if sharing:
            sharing.share(camera, fanout)

    def adjust(self, before: config.Camera, settings: config.Camera, control: Control) -> None:
        """Apply the settings that need no replacement: title, group, fps and quality."""
        camera = self.own[settings.name]
        camera.set_title(settings.title, settings.group)
        if before.fps != settings.fps:
            camera.set_fps(settings.fps)
            control.unset(camera, "fps")
        if before.quality != settings.quality:
            camera.set_quality(settings.quality)
            control.unset(camera, "quality")

    def remove(self, name: str, sharing: Sharing | None) -> None:
        """Remove a camera and its viewers, who are notified."""
        camera = self.own.pop(name)
        del self._settings[name]
        del self.cameras[name]
        fanout = self.fanouts.pop(name)
        self._silence(camera)
        if sharing:
            sharing.unshare(name)
        self.on_removed(name)
        fanout.close()
        if sharing:
            sharing.release_one(name)
        self._close(camera)
        self._last_seqs[name] = camera.seq

    def order(self, names: Iterable[str]) -> None:
        """Put our own cameras in this order; other nodes' cameras follow them."""
        order = [name for name in names if name in self.own]
        order += [name for name in self.own if name not in order]
        others = [name for name in self.cameras if name not in self.own]
        for name in order:
            self.own[name] = self.own.pop(name)
        for name in (*order, *others):
            self.cameras[name] = self.cameras.pop(name)
            self.fanouts[name] = self.fanouts.pop(name)

    def _grow_pool(self) -> None:
        hub.grow_native_pool(native_threads(self._settings.values()))

    @staticmethod
    def _silence(camera: Camera) -> None:
        camera.on_change = lambda camera: None
        camera.on_notice = lambda camera, level, message: None

    @staticmethod
    def _close(camera: Camera) -> None:
        if not camera.close(RELEASE_S):
            log.warning("camera=%s does not release its source", camera.name)


def native_threads(cameras: Collection[config.Camera]) -> int:
    """Return how many native threads are needed to read, encode and process, with some spare."""
    return 2 * len(cameras) + sum(bool(camera.process) for camera in cameras) + 4
