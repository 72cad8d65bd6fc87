"""Runs a camera's processors on a picture, one after the other, and reports the outcomes.

The same code runs built-in processors in the server, and users' processors in a separate process
(:mod:`server.capture.processing.sandbox`).
"""

import importlib
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from types import CodeType
from typing import Any, NamedTuple

from server.capture.frames.frame import Image
from server.capture.frames.limits import is_too_large, too_large
from server.capture.processing.info import Info
from server.capture.processing.report import Report
from server.config.processors import Processor

__all__ = ["Facts", "LoadError", "Outcome", "ProcessorRunner", "load_function"]

MAX_TEXT = 200

Function = Callable[[Image, "Info"], object]


class Facts(NamedTuple):
    """The fields of :class:`Info` shared by all processors; ``life`` counts openings."""

    seq: int
    at: float
    fps: float
    life: int


class Outcome(NamedTuple):
    """The outcome of one processor on one picture.

    Attributes:
        place: The index of the processor among all of the camera's.
        ms: The time taken, in milliseconds.
        error: What went wrong, in one line, for people; empty if nothing did.
    """

    place: int
    ms: float
    error: str = ""


class LoadError(Exception):
    """A processor's module or function cannot be used; says why in one line."""


class ProcessorRunner:
    """Some of a camera's processors, loaded.

    Args:
        processors: Each with its index among all of the camera's.
        camera: Its name.
        title: Its title.

    Attributes:
        errors: Why processors could not be loaded, by place; running one fails with this error.
        reports: Their reports about the last picture.
    """

    def __init__(
        self, processors: Iterable[tuple[int, Processor]], camera: str, title: str
    ) -> None:
        self._camera, self._title = camera, title
        self._functions: dict[int, Function] = {}
        self._states: dict[int, dict[str, Any]] = {}
        self._life = -1
        self.reports: list[Report] = []
        self.errors: dict[int, str] = {}
        for index, processor in processors:
            try:
                self._functions[index] = load_function(processor)
            except LoadError as error:
                self.errors[index] = str(error)

    def run(
        self,
        image: Image,
        facts: Facts,
        places: Sequence[int],
        on_step: Callable[[int], None] = lambda index: None,
    ) -> tuple[Image, list[Outcome]]:
        """Run the processors at these places on a picture; return it and their outcomes.

        If one fails, its drawing so far remains and the others still run.

        Args:
            image: Pixels, uint8, shape (height, width, 3); may be drawn on.
            facts: About the picture.
            places: Which processors, in order.
            on_step: Called with each place before its processor runs.
        """
        if facts.life != self._life:
            self._states.clear()
            self._life = facts.life
        outcomes = []
        self.reports = []
        for index in places:
            on_step(index)
            begun = time.perf_counter()
            error = self.errors.get(index, "")
            if not error:
                try:
                    image = self._apply(index, image, facts)
                except BaseException as problem:  # noqa: BLE001  SystemExit must not end us either
                    error = self._describe_error(index, problem)
            outcomes.append(Outcome(index, (time.perf_counter() - begun) * 1000, error))
        return image, outcomes

    def _apply(self, index: int, image: Image, facts: Facts) -> Image:
        height, width = image.shape[:2]
        state = self._states.setdefault(index, {})
        info = Info(
            *(self._camera, self._title, facts.seq, facts.at, width, height, facts.fps, state),
            self.reports,
        )
        made = self._functions[index](image, info)
        if made is None or made is image:
            return image
        return _checked(made)

    def _describe_error(self, index: int, problem: BaseException) -> str:
        if isinstance(problem, _WrongResultError):
            return str(problem)
        where = _where(problem, getattr(self._functions[index], "__code__", None))
        text = _message_of(problem)
        return f"raised {type(problem).__name__}{f': {text}' if text else ''}{where}"


class _WrongResultError(Exception):
    pass


def _checked(made: object) -> Image:
    """Return a processor's result as a writable picture; raise an error if it is not one."""
    import numpy as np  # Only for pixels: see frame.py.

    accepted = "accepted: uint8 (height, width, 3), or None for the picture it was given"
    if not isinstance(made, np.ndarray):
        raise _WrongResultError(f"returned {type(made).__name__}; {accepted}")
    shape = str(made.shape)
    if made.dtype != np.uint8 or made.ndim != 3 or made.shape[2] != 3:
        raise _WrongResultError(f"returned {made.dtype} {shape}; {accepted}")
    height, width = made.shape[:2]
    if not (height and width):
        raise _WrongResultError(f"returned an empty picture, {shape}; {accepted}")
    if is_too_large(width, height):
        text = too_large(width, height).removeprefix("its pictures have ")
        raise _WrongResultError(f"returned {text}")
    # The next processor may draw on it; for OpenCV its memory must be contiguous.
    return np.require(made, requirements=["C", "W"])


def load_function(processor: Processor) -> Function:
    """Import a processor's function; runs the user's module.

    Raises:
        LoadError: If it cannot be imported.
    """
    if not processor.module:
        from server.capture.processing.builtin import BUILT_IN  # They load OpenCV.

        return BUILT_IN[processor.function](processor.options)
    if processor.folder not in sys.path:
        sys.path.insert(0, processor.folder)
    try:
        module = importlib.import_module(processor.module)
    except ModuleNotFoundError as error:
        if error.name != processor.module:
            raise LoadError(f"needs the module {error.name!r}, which is not installed") from None
        raise LoadError(
            f"there is no module {processor.module!r}, neither in {processor.folder} nor installed"
        ) from None
    except BaseException as error:  # noqa: BLE001  a module may call exit() on import
        text = _message_of(error)
        raise LoadError(f"importing it raised {type(error).__name__}: {text}") from None
    function = getattr(module, processor.function, None)
    if not callable(function):
        where = getattr(module, "__file__", None) or processor.module
        raise LoadError(f"there is no function {processor.function!r} in {where}")
    return function  # type: ignore[no-any-return]


def _message_of(problem: BaseException) -> str:
    """Return an error's message in one line; empty if that raises, too."""
    try:
        return " ".join(str(problem).split())[:MAX_TEXT]
    except BaseException:  # noqa: BLE001  __str__ may be users' code
        return ""


def _where(problem: BaseException, code: CodeType | None) -> str:
    """Return an error's location in the user's file, or else the innermost location."""
    trace = problem.__traceback__
    place = ""
    user_file = code.co_filename if code else None
    while trace:
        file = trace.tb_frame.f_code.co_filename
        if user_file is None or file == user_file:
            place = f" ({file.rpartition('/')[2]}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return place
