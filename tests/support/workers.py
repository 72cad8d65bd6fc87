"""Run test files in several processes, forked from the one that collected all tests.

Collecting takes five seconds of CPU time, which forks do not spend again. A worker takes one file
after another, and sends its reports to its parent, which shows and counts them. Some workers prefer
files that mostly compute, the others files that mostly wait: with one kind alone, all would wait or
compete for the CPU. ``tests/__main__.py`` loads this plugin with ``-p``.
"""

import os
import sys
import traceback
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import count, groupby, pairwise
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, NoReturn

import pytest
from _pytest.cacheprovider import LFPlugin

from tests.support.order import computes

TURN_BYTES = 2

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""Libraries read these when imported. Other threads would not survive a fork."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of this plugin."""
    group = parser.getgroup("workers")
    group.addoption("--workers", type=int, default=1, help="processes that run tests at once")
    group.addoption("--computing", type=int, default=1, help="how many prefer what computes")
    group.addoption("--after", type=int, metavar="FD", help="collect, then wait for a byte")


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None, object, object]:
    """Import the fixtures and their imports, without starting threads."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ONE_THREAD.items():
            patch.setenv(name, value)
        return (yield)


pytest_collection = pytest_load_initial_conftests


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run the tests, unless collection failed."""
    config = session.config
    if config.option.after is not None:
        wait_for_turn(config)
    if session.testsfailed or config.option.collectonly:
        return None
    assert len(os.listdir("/proc/self/task")) == 1, "a library has started a thread"
    files = [list(tests) for _, tests in groupby(session.items, lambda item: item.path)]
    kinds: dict[bool, list[int]] = {True: [], False: []}
    for turn, tests in enumerate(files):
        kinds[computes(tests[0].path)].append(turn)
    queues = [fill(turns) for turns in kinds.values()]
    folders: Any = config._tmp_path_factory  # type: ignore[attr-defined]
    folder = folders.getbasetemp()
    workers: dict[Connection, int] = {}
    numbers = count()

    def start() -> None:
        ours, theirs = Pipe(duplex=False)
        number = next(numbers)
        pid = fork()
        if pid == 0:
            folders._basetemp = folder / f"worker-{number}"
            prefers = 1 if number % config.option.workers < config.option.computing else -1
            work(session, take(files, queues[::prefers]), theirs)
        theirs.close()
        workers[ours] = pid

    for _ in range(config.option.workers):
        start()
    show(session, workers, queues, start)
    for queue in queues:
        os.close(queue)
    return True


def fork() -> int:
    """Fork; eventlet warns that a running hub would go on in both, but none runs yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def wait_for_turn(config: pytest.Config) -> None:
    """Wait until earlier runs have ended, and load the failures that they recorded."""
    with open(config.option.after, "rb") as pipe:
        if not pipe.read(1):
            pytest.exit("who started this has ended", 1)
    config.pluginmanager.unregister(name="lfplugin")
    config.pluginmanager.register(LFPlugin(config), "lfplugin")


def fill(turns: Iterable[int]) -> int:
    """Return a pipe with these numbers; each reader takes the next."""
    reads, writes = os.pipe()
    os.write(writes, b"".join(turn.to_bytes(TURN_BYTES, "big") for turn in turns))
    os.close(writes)
    return reads


def take(files: list[list[pytest.Item]], queues: Sequence[int]) -> Iterator[list[pytest.Item]]:
    """Yield the tests of one file after another, as long as unclaimed files remain."""
    for queue in queues:
        while turn := os.read(queue, TURN_BYTES):
            yield files[int.from_bytes(turn, "big")]


def work(
    session: pytest.Session, files: Iterator[list[pytest.Item]], parent: Connection
) -> NoReturn:
    """Run test files as long as there are any, then end this process."""
    code = 1
    config = session.config
    try:
        config._tmp_path_factory._basetemp.mkdir()  # type: ignore[attr-defined]
        config.pluginmanager.unregister(name="terminalreporter")
        config.pluginmanager.register(Reports(config, parent))
        # Captured output goes into a file whose position the forks would share.
        if capture := config.pluginmanager.get_plugin("capturemanager"):
            capture.stop_global_capturing()
            capture.start_global_capturing()
            capture.suspend_global_capture()
        try:
            for tests in files:
                # The next file is not known yet, and shares only the session's fixtures.
                for test, following in pairwise([*tests, session]):
                    config.hook.pytest_runtest_protocol(item=test, nextitem=following)
        finally:
            session._setupstate.teardown_exact(None)
        config._ensure_unconfigure()  # Fails if a test has left something open.
        code = 0
    except BaseException:  # noqa: BLE001  a fork must never go on as what it was forked from
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Reports:
    """Sends a worker's events to its parent."""

    def __init__(self, config: pytest.Config, parent: Connection) -> None:
        self._config = config
        self._parent = parent

    def pytest_runtest_logstart(self, nodeid: str, location: object) -> None:
        """Report that a test begins."""
        self._parent.send(("pytest_runtest_logstart", {"nodeid": nodeid, "location": location}))

    def pytest_runtest_logfinish(self, nodeid: str, location: object) -> None:
        """Report that a test has ended."""
        self._parent.send(("pytest_runtest_logfinish", {"nodeid": nodeid, "location": location}))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Report the outcome of a test's phase."""
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._parent.send(("pytest_runtest_logreport", data))


def show(
    session: pytest.Session,
    workers: dict[Connection, int],
    queues: Iterable[int],
    start: Callable[[], None],
) -> None:
    """Show the workers' reports, and report unfinished tests as failed.

    Each worker that dies is replaced: files not yet started are not lost with it.
    """
    config = session.config
    begun: set[Connection] = set()
    unfinished = {item.nodeid: item for item in session.items}
    while workers:
        for line in wait([*workers]):
            assert isinstance(line, Connection)
            try:
                name, given = line.recv()
            except EOFError:
                line.close()
                died = os.waitpid(workers.pop(line), 0)[1] != 0
                session.testsfailed += died
                if died and line in begun:  # Otherwise the next worker would die as well.
                    start()
                continue
            begun.add(line)
            if name == "pytest_runtest_logreport":
                given = {
                    "report": config.hook.pytest_report_from_serializable(config=config, data=given)
                }
            elif name == "pytest_runtest_logfinish":
                del unfinished[given["nodeid"]]
            getattr(config.hook, name)(**given)
        if session.shouldfail or session.shouldstop:
            for queue in queues:
                os.read(queue, TURN_BYTES * len(session.items))  # Workers finish what they have.
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)
    for nodeid, item in unfinished.items():
        why = "The process that ran this test, or was to run it, has died."
        report = pytest.TestReport(nodeid, item.location, {}, "failed", why, "call")
        config.hook.pytest_runtest_logreport(report=report)
