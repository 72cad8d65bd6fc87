"""Processing in the settings: what is accepted, and how the rest is rejected."""

from pathlib import Path

import pytest

from server.config.processors import parse_processors
from server.errors import ConfigError


def test_functions_and_built_ins_are_distinguished(tmp_path: Path) -> None:
    """A name with a colon is a user's function, found beside the settings; others are built in."""
    annotate, caption, mask = parse_processors(
        ["my.module:annotate", "caption?text=Front+door&corner=top-right", MASK], tmp_path
    )

    assert (annotate.name, annotate.module, annotate.function) == (
        "annotate",
        "my.module",
        "annotate",
    )
    assert annotate.folder == str(tmp_path.resolve())
    assert caption.options == {"text": "Front door", "corner": "top-right"}
    assert [one.required for one in (annotate, caption, mask)] == [False, False, True]
    assert [one.is_mask for one in (annotate, caption, mask)] == [False, False, True]


def test_processors_of_a_kind_get_different_names() -> None:
    """A second processor of the same kind gets a number in its name."""
    named = parse_processors([MASK, MASK, "timestamp", MASK], Path())

    assert [one.name for one in named] == ["mask", "mask-2", "timestamp", "mask-3"]


def test_any_processor_can_be_required() -> None:
    """A function or a built-in can be required; if it fails, no picture is shown."""
    assert all(
        one.required for one in parse_processors(["m:f?required=1", "motion?required=1"], Path())
    )


MASK = "mask?x=0.1&y=0.1&width=0.2&height=0.3"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "is not a processor"),
        ("clock", "is not a processor"),
        ("module:", "is not a processor"),
        (":function", "is not a processor"),
        ("mod-ule:function", "is not a processor"),
        ("../m:f", "is not a processor"),
        ("m:f?colour=red", "option 'colour'"),
        ("m:f?required=yes", "0 or 1"),
        ("timestamp?corner=middle", "top-left or"),
        ("timestamp?nonsense", "option 'nonsense'"),
        ("timestamp?&", "is not an option"),
        ("caption", "text is missing"),
        ("caption?text=", "1 to 80 characters"),
        ("motion?min_area=nan", "a number from 0.01 to 100"),
        ("mask?x=0.1&y=0.1&width=0.2", "height is missing"),
        ("mask?x=0.9&y=0.1&width=0.2&height=0.1", "extends beyond"),
        ("mask?x=0.9&y=0.1&width=0&height=0.1", "hides nothing"),
        ("blur-faces", "no cascade classifier"),
    ],
)
def test_invalid_processors_are_rejected(text: str, named: str) -> None:
    """The message names the fault and what is accepted."""
    with pytest.raises(ConfigError, match="accepted") as refused:
        parse_processors([text], Path())

    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


def test_number_of_processors_is_limited() -> None:
    """More than 16 processors are probably a mistake."""
    with pytest.raises(ConfigError, match="up to 16"):
        parse_processors(["timestamp"] * 17, Path())


@pytest.mark.parametrize("first", ["timestamp", "timestamp?corner=top-left", "motion"])
def test_motion_after_a_drawing_processor_is_rejected(first: str) -> None:
    """After ``timestamp``, ``motion`` used to draw its boxes around the clock."""
    name = first.partition("?")[0]

    with pytest.raises(
        ConfigError, match=f"'motion' after '{name}' would mark.*; accepted: 'motion' once"
    ):
        parse_processors([first, "caption?text=a", "motion"], Path())
    parse_processors(["caption?text=a", "my:timestamp", "motion", "timestamp"], Path())
