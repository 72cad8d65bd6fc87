"""The log: standard error, one line per event."""

import logging

__all__ = ["SILENT", "configure_logging"]

SILENT = logging.getLogger("porthole.silent")
"""For libraries that would otherwise create their own logger and print what strangers send."""


class _OneLine(logging.Formatter):
    """Keeps a message on one line: text that it quotes may contain line breaks and escapes."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        text = record.message
        record.message = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
        return super().formatMessage(record)


def configure_logging(level: str) -> None:
    """Log to standard error from ``level`` on, one line per event."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(asctime)s %(levelname).1s %(name)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    SILENT.setLevel(logging.CRITICAL + 1)
    # Both log a traceback or two for every malformed message a client sends.
    for name in ("socketio", "engineio", "websockets.server"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
