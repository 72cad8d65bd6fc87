"""Notices when packets of an RTP stream were lost: FFmpeg only writes that to its log."""

__all__ = ["Losses"]

# "RTP: missed %d packets", in libavformat/rtpdec.c.
MISSED = "RTP: missed"


class Losses:
    """What FFmpeg logs about one stream, on the thread that creates this and reads the stream."""

    def __init__(self) -> None:
        import av.logging

        # Off otherwise: a log may hold a URL with its password. Captured, it goes nowhere else.
        self._capture = av.logging.Capture()
        self._logs = self._capture.__enter__()
        av.logging.set_skip_repeated(False)
        av.logging.set_level(av.logging.WARNING)

    def seen(self) -> bool:
        """Return whether packets were lost since the last call."""
        if not self._logs:
            return False
        missed = any(MISSED in message for _, _, message in self._logs)
        self._logs.clear()
        return missed

    def close(self) -> None:
        """Have FFmpeg log nothing again."""
        import av.logging

        av.logging.set_level(None)
        self._capture.__exit__(None, None, None)
