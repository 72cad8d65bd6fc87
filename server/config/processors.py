"""Parse processors in the settings, such as ``mymodule:annotate`` and ``timestamp``.

Like a source's address, they are parsed once, at start. That a module exists and has the function
is checked by importing it, in :func:`server.capture.processing.sandbox.check_functions`.
"""

import math
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qsl

from server.config.nearest import suggest
from server.errors import ConfigError

__all__ = ["ACCEPTED", "CORNERS", "MASK", "Processor", "parse_processors"]

CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")
"""Positions for text."""

ZONES = ("local", "utc")

MASK = "mask"

# Whoever needs more should write a function.
MAX_PROCESSORS = 16

MAX_TEXT = 80

ACCEPTED = "a list of MODULE:FUNCTION, timestamp, caption?text=..., motion and mask?x=...&y=..."

NO_CASCADE = (
    "'blur-faces' is not available: OpenCV 5 has no cascade classifier any more, and includes no "
    "model that finds faces; accepted: a function of your own, see docs/processors.md"
)


@dataclass(frozen=True, slots=True)
class Option:
    """An option: the check of its value, and the accepted values in words."""

    accepts: Callable[[str], bool]
    words: str


def _one_of(*values: str) -> Option:
    return Option(lambda text: text in values, " or ".join(values))


def _number(low: float, high: float) -> Option:
    def accepts(text: str) -> bool:
        try:
            value = float(text)
        except ValueError:
            return False
        return math.isfinite(value) and low <= value <= high

    return Option(accepts, f"a number from {low:g} to {high:g}")


SHARE = _number(0, 1)
REQUIRED = {"required": _one_of("0", "1")}

# Each built-in's options, and the names of those that are required.
BUILT_IN: dict[str, tuple[dict[str, Option], tuple[str, ...]]] = {
    "timestamp": ({"corner": _one_of(*CORNERS), "zone": _one_of(*ZONES)}, ()),
    "caption": (
        {
            "text": Option(
                lambda text: 1 <= len(text) <= MAX_TEXT and text.isprintable(),
                f"1 to {MAX_TEXT} characters",
            ),
            "corner": _one_of(*CORNERS),
        },
        ("text",),
    ),
    "motion": ({"min_area": _number(0.01, 100)}, ()),
    MASK: (
        {"x": SHARE, "y": SHARE, "width": SHARE, "height": SHARE},
        ("x", "y", "width", "height"),
    ),
}


@dataclass(frozen=True, slots=True)
class Processor:
    """One processor of a camera; its module has not been checked.

    Attributes:
        name: The name people see; unique within the camera.
        function: The built-in's name, or the user's function.
        module: The module with the user's function; empty for a built-in.
        folder: The folder to search for that module first.
        options: The options after ``?``.
        required: Whether a picture is withheld when this processor fails on it.
    """

    name: str
    function: str
    module: str = ""
    folder: str = ""
    options: dict[str, str] = field(default_factory=dict)
    required: bool = False

    @property
    def is_mask(self) -> bool:
        """Whether it is a privacy mask."""
        return self.function == MASK and not self.module


def parse_processors(texts: Iterable[str], folder: Path) -> tuple[Processor, ...]:
    """Parse a camera's processors, in order.

    Args:
        texts: As written in the settings.
        folder: The folder to search for modules first.

    Raises:
        ConfigError: One line with what is wrong and what would be accepted.
    """
    found: list[Processor] = []
    for text in texts:
        processor = _parse(text, folder)
        same = sum(other.function == processor.function for other in found)
        found.append(replace(processor, name=f"{processor.name}-{same + 1}") if same else processor)
    _check_order(found)
    if len(found) > MAX_PROCESSORS:
        raise ConfigError(f"{len(found)} processors are too many; accepted: up to {MAX_PROCESSORS}")
    return tuple(found)


def _parse(text: str, folder: Path) -> Processor:
    head, _, query = text.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if query and not options:
        raise ConfigError(f"{query!r} in {text!r} is not an option; accepted: NAME=VALUE")
    module, colon, function = head.partition(":")
    if not colon:
        return _parse_built_in(text, head, options)
    dotted = all(part.isidentifier() for part in module.split("."))
    if not dotted or not function.isidentifier():
        raise ConfigError(f"{text!r} is not a processor; accepted: {ACCEPTED}")
    _check_options(text, options, REQUIRED, ())
    required = options.get("required") == "1"
    return Processor(function, function, module, str(folder.resolve()), {}, required)


def _parse_built_in(text: str, name: str, options: dict[str, str]) -> Processor:
    if name == "blur-faces":
        raise ConfigError(NO_CASCADE)
    if name not in BUILT_IN:
        hint = suggest(name, BUILT_IN)
        raise ConfigError(f"{text!r} is not a processor{hint}; accepted: {ACCEPTED}")
    known, needed = BUILT_IN[name]
    _check_options(text, options, known | REQUIRED, needed)
    if name == MASK:
        # A mask hides something, so no picture may be shown without it.
        _check_mask(text, options)
        return Processor(name, name, options=options, required=True)
    if "text" in options:
        # Compose letters with their marks: fonts draw the composed characters.
        options["text"] = unicodedata.normalize("NFC", options["text"])
    required = options.pop("required", "0") == "1"
    return Processor(name, name, options=options, required=required)


def _check_options(
    text: str, options: dict[str, str], known: dict[str, Option], needed: tuple[str, ...]
) -> None:
    for key, value in options.items():
        if key not in known:
            raise ConfigError(
                f"option {key!r} in {text!r} is unknown{suggest(key, known)}; "
                f"accepted options: {', '.join(known)}"
            )
        if not known[key].accepts(value):
            raise ConfigError(
                f"{key}={value!r} in {text!r} cannot be used; accepted: {known[key].words}"
            )
    for key in needed:
        if key not in options:
            raise ConfigError(f"{key} is missing in {text!r}; accepted: {known[key].words}")


def _check_order(found: list[Processor]) -> None:
    """Reject motion detection after a built-in whose drawing changes with each picture."""
    drawn = ""
    for processor in found:
        if processor.module:
            continue
        if processor.function == "motion" and drawn:
            raise ConfigError(
                f"'motion' after {drawn!r} would mark what that draws as moving; "
                "accepted: 'motion' once, before 'timestamp'"
            )
        if processor.function in ("timestamp", "motion"):
            drawn = processor.function


def _check_mask(text: str, options: dict[str, str]) -> None:
    x, y, width, height = (float(options[key]) for key in ("x", "y", "width", "height"))
    if not (width and height):
        raise ConfigError(f"{text!r} hides nothing; accepted: a width and height above 0")
    if x + width > 1 + 1e-6 or y + height > 1 + 1e-6:
        raise ConfigError(f"{text!r} extends beyond the picture; accepted: x + width up to 1")
