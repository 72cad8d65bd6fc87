"""Polls shared state on the bus while a node runs."""

import logging
from collections.abc import Callable
from typing import NoReturn

from server.cluster.bus.backoff import Backoff
from server.cluster.bus.bus import BUS_ERRORS
from server.errors import ConfigError
from server.loop import hub

__all__ = ["poll"]

log = logging.getLogger(__name__)

PERIOD_S = 0.3
RETRY_S = 1.0


def poll(step: Callable[[], None], failure: str) -> NoReturn:
    """Call ``step`` periodically; run in a separate green thread, until killed.

    During an outage, waits longer each time and logs nothing: the listener logs it.

    Args:
        step: Compares this node's copy with the bus; may raise anything.
        failure: The log message when ``step`` fails.
    """
    backoff = Backoff()
    logged = ""
    while True:
        try:
            step()
            backoff.reset()
            hub.rest(PERIOD_S)
        except BUS_ERRORS:
            hub.sleep(backoff.next_s())
        except ConfigError as error:
            if str(error) != logged:
                logged = str(error)
                log.error("%s: %s", failure, error)
            hub.sleep(RETRY_S)
        except Exception:
            log.exception("%s", failure)
            hub.sleep(RETRY_S)
