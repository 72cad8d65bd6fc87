"""The ranges of frame rates and qualities, for the protocol and the settings.

They have a module of their own because a camera's child process needs them without pydantic, which
takes longer to load than everything else in that process.
"""

__all__ = ["MAX_FPS", "MAX_QUALITY", "MIN_FPS", "MIN_QUALITY"]

MIN_FPS, MAX_FPS = 0.1, 120
MIN_QUALITY, MAX_QUALITY = 1, 100
