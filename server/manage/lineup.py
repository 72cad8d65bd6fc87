"""This process's own cameras: made, added, replaced and removed while the others go on."""

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

    def share(self, camera: Camera, rooms: Fanout) -> None: ...

    def unshare(self, name: str) -> None: ...


class Lineup:
    """The cameras of a node.

    Args:
        server: The server's settings.
        cameras: The cameras to begin with.

    Attributes:
        own: The cameras of this process by name, in their order.
        cameras: Those, and after them other nodes' that are shown here.
        fanouts: Of all cameras, by name.
        on_change: Called with each of our cameras whose STATE has changed.
        on_notice: Called with level, message and camera.
        on_list: Called when a camera was added, or the order has changed.
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
        self._reached: dict[str, int] = {}  # The numbers of the last frames of removed cameras.

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
            settings: Complete; the name must be free.
            order: The names of our own cameras, with this one.
            control: Keeps what operators change.
            sharing: With other nodes, if there are any.
            kept: What operators had changed of it before.

        Raises:
            ConfigError: If another node has the name; see :meth:`claim`.
        """
        name = settings.name
        seq = self.claim(name, sharing)
        camera = self._make(settings)
        # Clients remember the last number they had under that name.
        camera.numbering.continue_from(max(seq, self._reached.get(name, 0)))
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
        """Claim the name of a camera that is to be added; return where its numbers go on.

        Raises:
            ConfigError: If another node has it, or the bus is unavailable.
        """
        return sharing.claim_one(name) if sharing else 0

    def replace(self, settings: config.Camera, control: Control, sharing: Sharing | None) -> None:
        """Replace a camera by one with other settings; its viewers go on with that."""
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
        # It may be the same device, which cannot be opened twice.
        self._close(before)
        # A frame that it was at may have been numbered since.
        camera.numbering.continue_from(before.seq)
        if self.own.get(name) is not camera:
            return  # Replaced or removed meanwhile.
        self._grow_pool()
        camera.open()
        if sharing:
            sharing.share(camera, fanout)

    def adjust(self, before: config.Camera, settings: config.Camera, control: Control) -> None:
        """Change of a camera what can be changed while it goes on: title, group, fps, quality."""
        camera = self.own[settings.name]
        camera.set_title(settings.title, settings.group)
        if before.fps != settings.fps:
            camera.set_fps(settings.fps)
            control.unset(camera, "fps")
        if before.quality != settings.quality:
            camera.set_quality(settings.quality)
            control.unset(camera, "quality")

    def remove(self, name: str, sharing: Sharing | None) -> None:
        """Remove a camera; its viewers are told, and watch it no longer."""
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
        self._reached[name] = camera.seq

    def order(self, names: Iterable[str]) -> None:
        """Put our own cameras in this order; other nodes' stay behind them."""
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
            log.warning("camera=%s does not let go of its source", camera.name)


def native_threads(cameras: Collection[config.Camera]) -> int:
    """Return how many native threads there are to be: to read, to encode, to process, and more."""
    return 2 * len(cameras) + sum(bool(camera.process) for camera in cameras) + 4
