"""A child process that ends while several threads use it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from server.capture.isolation.channel import Link
from server.capture.isolation.process import Process


@pytest.mark.usefixtures("own_children")
def test_threads_can_wait_and_kill_concurrently() -> None:
    """One thread can wait while another kills. It used to fail if the other reaped first."""
    with ThreadPoolExecutor(3) as threads:
        for _ in range(20):
            link, theirs = Link.pair()
            with theirs:
                process = Process("json.tool", theirs, {})  # It waits for input.
            waiting = [threads.submit(process.wait, 10.0) for _ in range(3)]
            process.kill()
            link.close()

            assert [one.result() for one in waiting] == [True] * 3
            assert process.exit_reason == "was killed by SIGKILL"
