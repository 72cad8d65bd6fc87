"""Cameras that misbehave, and servers with short time-outs."""

from tests.support.cameras.bad_camera import make_camera

__all__ = ["OPTIONS", "READ_TIMEOUT_S", "make_camera"]

READ_TIMEOUT_S = 2.0
OPTIONS = ("--read-timeout", str(READ_TIMEOUT_S), "--stall-after", "1", "--frozen-after", "2")
