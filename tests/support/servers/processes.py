"""The processes of a server's cameras."""

import os
from pathlib import Path

import psutil

from tests.support.cameras.bad_camera import BadCamera
from tests.support.servers.server import PortholeServer

__all__ = ["child_for", "children_of"]


def children_of(server: PortholeServer) -> list[psutil.Process]:
    """Return the processes of a server's cameras, whether its own children or forked elsewhere.

    The server holds the other end of the pipe that is their standard output.
    """
    pid = server.process.pid
    pipes = {target(pid, number) for number in os.listdir(f"/proc/{pid}/fd")} - {target(pid, "1")}
    found = []
    for folder in Path("/proc").iterdir():
        output = target(int(folder.name), "1") if folder.name.isdigit() else ""
        if output.startswith("pipe:") and output in pipes:
            try:
                found.append(psutil.Process(int(folder.name)))
            except psutil.NoSuchProcess:
                continue  # It has just ended.
    return found


def child_for(server: PortholeServer, camera: BadCamera) -> psutil.Process | None:
    """Return the process that reads a camera."""
    for child in children_of(server):
        try:
            connections = child.net_connections()
        except psutil.Error:
            continue  # It has just ended.
        if any(one.raddr and one.raddr.port == camera.port for one in connections):
            return child
    return None


def target(pid: int, number: str) -> str:
    """Return the target of an open file, or nothing if it is closed."""
    try:
        return os.readlink(f"/proc/{pid}/fd/{number}")
    except OSError:
        return ""
