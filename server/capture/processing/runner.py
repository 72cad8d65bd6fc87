"""Runs a camera's processors on one picture, one after the other, and says what came of each.

The same code runs in the server, for what is built in, and in a process of its own, for what is not
(:mod:`server.capture.processing.sandbox`).
"""

import importlib
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from server.capture.frames.frame import Image
from server.capture.frames.limits import is_too_large, too_large
from server.capture.processing.builtin import BUILT_IN
from server.capture.processing.info import Info
from server.config.processors import Processor

__all__ = ["Facts", "LoadError", "Outcome", "ProcessorRunner", "load_function"]

MAX_TEXT = 200

Function = Callable[[Image, "Info"], object]


class Facts(NamedTuple):
    """What :class:`Info` says that is the same for all processors; ``life`` numbers openings."""

    seq: int
    at: float
    fps: float
    life: int


class Outcome(NamedTuple):
    """What came of one processor on one picture.

    Attributes:
        place: Which of the camera's processors.
        ms: What it took, in milliseconds.
        error: What was wrong, for people, in one line; empty if nothing was.
    """

    place: int
    ms: float
    error: str = ""


class LoadError(Exception):
    """A processor's module or function cannot be used; says why in one line."""


class ProcessorRunner:
    """Some of a camera's processors, loaded.

    Args:
        processors: With their place among all of the camera's.
        camera: Its name.
        title: Its title.

    Attributes:
        errors: Why one cannot be loaded, by its place; running it fails with that.
    """

    def __init__(
        self, processors: Iterable[tuple[int, Processor]], camera: str, title: str
    ) -> None:
        self._camera, self._title = camera, title
        self._functions: dict[int, Function] = {}
        self._states: dict[int, dict[str, Any]] = {}
        self._life = -1
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
        """Return what the processors at these places make of a picture, and what came of each.

        One that fails changes nothing but what it has already drawn; the others go on.

        Args:
            image: Pixels, uint8, shape (height, width, 3); the caller's to be drawn on.
            facts: Of the picture.
            places: Which processors, in order.
            on_step: Told before each.
        """
        if facts.life != self._life:
            self._states.clear()
            self._life = facts.life
        outcomes = []
        for index in places:
            on_step(index)
            begun = time.perf_counter()
            error = self.errors.get(index, "")
            if not error:
                try:
                    image = self._apply(index, image, facts)
                except BaseException as problem:  # noqa: BLE001  SystemExit is no way out either
                    error = self._tell(index, problem)
            outcomes.append(Outcome(index, (time.perf_counter() - begun) * 1000, error))
        return image, outcomes

    def _apply(self, index: int, image: Image, facts: Facts) -> Image:
        height, width = image.shape[:2]
        state = self._states.setdefault(index, {})
        info = Info(self._camera, self._title, facts.seq, facts.at, width, height, facts.fps, state)
        made = self._functions[index](image, info)
        if made is None or made is image:
            return image
        return _checked(made)

    def _tell(self, index: int, problem: BaseException) -> str:
        if isinstance(problem, _WrongResultError):
            return str(problem)
        where = _where(problem, getattr(self._functions[index], "__code__", None))
        said = _words_of(problem)
        return f"raised {type(problem).__name__}{f': {said}' if said else ''}{where}"


class _WrongResultError(Exception):
    pass


def _checked(made: object) -> Image:
    """Return what a processor returned, if it is a picture, as one that can be drawn on."""
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
        said = too_large(width, height).removeprefix("its pictures have ")
        raise _WrongResultError(f"returned {said}")
    # The next one may draw on it, which OpenCV does only where pixels lie in one piece.
    return np.require(made, requirements=["C", "W"])


def load_function(processor: Processor) -> Function:
    """Return the function that a processor names; runs the user's module.

    Raises:
        LoadError: If there is none.
    """
    if not processor.module:
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
    except BaseException as error:  # noqa: BLE001  a module may well call exit() when imported
        said = _words_of(error)
        raise LoadError(f"importing it raised {type(error).__name__}: {said}") from None
    function = getattr(module, processor.function, None)
    if not callable(function):
        where = getattr(module, "__file__", None) or processor.module
        raise LoadError(f"there is no function {processor.function!r} in {where}")
    return function  # type: ignore[no-any-return]


def _words_of(problem: BaseException) -> str:
    """Return what an error says, in one line; nothing if it fails at that, too."""
    try:
        return " ".join(str(problem).split())[:MAX_TEXT]
    except BaseException:  # noqa: BLE001  it is users' code that is asked here
        return ""


def _where(problem: BaseException, code: CodeType | None) -> str:
    """Return the place of an error in the user's own file, or the innermost there is."""
    trace = problem.__traceback__
    place = ""
    mine = code.co_filename if code else None
    while trace:
        file = trace.tb_frame.f_code.co_filename
        if mine is None or file == mine:
            place = f" ({file.rpartition('/')[2]}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return place
