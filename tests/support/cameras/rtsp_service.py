"""An RTSP server on GStreamer, run by the system's Python, which has its bindings.

Usage: ``/usr/bin/python3 rtsp_service.py PORT [FILM]``, where 0 lets the system choose, and FILM is
an MP4 of H.264 that eight mounts send once. Prints one line of JSON with the ports: ``open``, and
``digest`` and ``basic``, which require a user name and password.
"""

import json
import sys
import time
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

USER, PASSWORD = "camera", "s3cret/@:word"


def pictures(width: int, height: int, fps: int) -> str:
    """Return the element that pictures are pushed into."""
    caps = f"video/x-raw,format=I420,width={width},height={height},framerate={fps}/1"
    return f"appsrc name=pictures is-live=true do-timestamp=true format=time caps={caps}"


PICTURES = pictures(640, 360, 25)
FAST = "x264enc tune=zerolatency speed-preset=ultrafast bitrate=3000"
PAY = "rtph264pay name=pay0 pt=96"

# Eight cameras that send the same film, each to one client: a new client restarts it.
FILMS = 8

MOUNTS = {
    # Key frame intervals of 1, 2 and 10 seconds.
    "h264": f"( {PICTURES} ! {FAST} key-int-max=25 ! {PAY} config-interval=-1 )",
    "group2": f"( {PICTURES} ! {FAST} key-int-max=50 ! {PAY} )",
    "group10": f"( {PICTURES} ! {FAST} key-int-max=250 ! {PAY} )",
    # For tests where any H.264 will do: a tenth of the pixels.
    "small": (
        f"( {pictures(320, 180, 10)} ! x264enc tune=zerolatency speed-preset=ultrafast "
        f"bitrate=1000 key-int-max=10 ! {PAY} config-interval=-1 )"
    ),
    "720p30": (
        f"( {pictures(1280, 720, 30)} ! x264enc tune=zerolatency speed-preset=ultrafast "
        f"bitrate=2500 key-int-max=60 ! {PAY} config-interval=-1 )"
    ),
    "b-frames": (
        f"( {PICTURES} ! x264enc speed-preset=veryfast bframes=2 b-adapt=false rc-lookahead=0 "
        f"key-int-max=25 bitrate=3000 ! video/x-h264,profile=main ! {PAY} )"
    ),
    "h265": (
        f"( {PICTURES} ! x265enc tune=zerolatency speed-preset=ultrafast key-int-max=25 "
        "bitrate=3000 ! rtph265pay name=pay0 pt=96 )"
    ),
    "mjpeg": f"( {PICTURES} ! jpegenc quality=70 ! rtpjpegpay name=pay0 pt=26 )",
    "udp": f"( {PICTURES} ! {FAST} key-int-max=25 ! {PAY} config-interval=-1 )",
    # One packet in 50 is lost.
    "lossy": (
        f"( {PICTURES} ! {FAST} sliced-threads=false key-int-max=25 ! rtph264pay pt=96 "
        "! identity name=pay0 drop-probability=0.02 )"
    ),
    "sound": "( audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay0 pt=8 )",
}


def picture(at: float, width: int, height: int) -> bytes:
    """Return I420 bytes: grey, a moving bar, and the time ``at`` in Unix seconds as cells.

    The strip of cells is the one that server/capture/sources/testpattern.py defines and reads.
    """
    side = width // 64
    white, black = b"\xeb" * side, b"\x10" * side
    stamp = int(at * 1000).to_bytes(6, "big")
    checksum = 0
    for byte in stamp:
        checksum ^= byte
    bits = "".join(f"{byte:08b}" for byte in (*stamp, checksum))
    cells = b"".join(white if bit == "1" else black for bit in bits)
    left = b"\x60" * (4 * side)
    row = left + cells + b"\x60" * (width - len(left) - len(cells))
    at_x = int(at * 200) % (width - 40)
    bar = b"\x60" * at_x + b"\xc0" * 40 + b"\x60" * (width - 40 - at_x)
    rows = b"\x60" * width * 4 * side + row * side
    luma = rows + bar * (height - 5 * side)
    return luma + b"\x80" * (width * height // 2)


def feed(_factory: Any, media: Any) -> None:
    """Push pictures into a new media, in its own size and number, until it ends."""
    source = media.get_element().get_by_name_recurse_up("pictures")
    if source is None:
        source = media.get_element().get_by_name("pictures")
    if source is None:
        return
    caps = source.get_property("caps").get_structure(0)
    width, height = caps.get_int("width")[1], caps.get_int("height")[1]
    fps = caps.get_fraction("framerate")[1]
    state = {"over": False}
    media.connect("unprepared", lambda _media: state.update(over=True))

    def push() -> bool:
        if state["over"]:
            return False
        source.emit("push-buffer", Gst.Buffer.new_wrapped(picture(time.time(), width, height)))
        return True

    GLib.timeout_add(1000 // fps, push)


def serve(port: int, method: Any = None) -> int:
    """Start a server with all mounts; return its port."""
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(str(port))
    token = None
    if method is not None:
        auth = GstRtspServer.RTSPAuth.new()
        auth.set_supported_methods(method)
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        if method == GstRtsp.RTSPAuthMethod.DIGEST:
            auth.add_digest(USER, PASSWORD, token)
        else:
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(USER, PASSWORD), token)
        server.set_auth(auth)
    for name, launch in MOUNTS.items():
        factory = GstRtspServer.RTSPMediaFactory.new()
        factory.set_launch(launch)
        factory.set_shared(True)
        factory.set_latency(0)
        factory.connect("media-configure", feed)
        only_udp = name in ("udp", "lossy")
        lower = GstRtsp.RTSPLowerTrans
        factory.set_protocols(lower.UDP if only_udp else lower.UDP | lower.TCP)
        if method is not None:
            permissions = GstRtspServer.RTSPPermissions.new()
            permissions.add_permission_for_role("viewer", "media.factory.access", True)
            permissions.add_permission_for_role("viewer", "media.factory.construct", True)
            factory.set_permissions(permissions)
        server.get_mount_points().add_factory(f"/{name}", factory)
    server.attach(None)
    serve.kept.append(server)
    return server.get_bound_port()


serve.kept = []


def main() -> None:
    """Serve until killed, or until standard input ends."""
    Gst.init(None)
    for film in sys.argv[2:3]:
        launch = f"( filesrc location={film} ! qtdemux ! h264parse ! {PAY} config-interval=-1 )"
        MOUNTS.update({f"film{number}": launch for number in range(FILMS)})
    methods = GstRtsp.RTSPAuthMethod
    ports = {
        "open": serve(int(sys.argv[1])),
        "digest": serve(0, methods.DIGEST),
        "basic": serve(0, methods.BASIC),
    }
    print(json.dumps(ports), flush=True)
    loop = GLib.MainLoop()
    GLib.io_add_watch(0, GLib.IO_HUP, lambda *_: loop.quit())
    loop.run()


if __name__ == "__main__":
    main()
