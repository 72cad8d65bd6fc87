"""Users' functions in a child process: what they may do, and what their failures cost."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from server.capture.frames.frame import Image
from server.capture.processing.report import Report
from server.capture.processing.runner import Facts
from server.capture.processing.sandbox import ProcessorSandbox, SandboxError, check_functions
from server.config.load import load_settings
from server.config.processors import parse_processors
from server.errors import ConfigError

FACTS = Facts(7, 1_700_000_000.5, 30.0, 1)
ROOT = Path(__file__).resolve().parents[4]
MODULE = "processing_functions"

Make = Callable[..., ProcessorSandbox]


@pytest.fixture
def image() -> Image:
    """A read-only picture."""
    made = np.random.default_rng(3).integers(0, 256, (48, 64, 3), np.uint8)
    made.flags.writeable = False
    return made


@pytest.fixture
def make() -> Iterator[Make]:
    """Create sandboxes of functions, all closed at the end of the test."""
    made: list[ProcessorSandbox] = []

    def one(*functions: str, stuck_after_s: float = 5.0) -> ProcessorSandbox:
        texts = [name if "?" in name else f"{MODULE}:{name}" for name in functions]
        processors = parse_processors(texts, Path(__file__).parent)
        made.append(ProcessorSandbox(enumerate(processors), "door", "Door", stuck_after_s))
        return made[-1]

    yield one
    for sandbox in made:
        sandbox.close()


def test_pictures_are_processed_in_the_child(make: Make, image: Image) -> None:
    """Drawing, returning and resizing work in order, on a copy, for pictures of any size."""
    sandbox = make("annotate", "half", "caption?text=Hi", "black", "double")
    before = image.copy()

    drawn, outcomes = sandbox.run(image, FACTS, [0])
    halved, _ = sandbox.run(image, FACTS, [1])
    larger, _ = sandbox.run(np.zeros((720, 1280, 3), np.uint8), FACTS, [3, 4])
    again, _ = sandbox.run(image, FACTS, [])

    assert not any(outcome.error for outcome in outcomes)
    assert (drawn[-1, -1] == 255).all()
    assert (drawn != before).any(axis=2).sum() > 20
    np.testing.assert_array_equal(halved, before[::2, ::2])
    assert larger.shape == (1440, 2560, 3)
    np.testing.assert_array_equal(again, before)
    np.testing.assert_array_equal(image, before)


def test_reports_arrive_with_the_picture(make: Make, image: Image) -> None:
    """A function's reports arrive with its picture, up to a limit; an invalid one is an error."""
    sandbox = make("report", "annotate")

    _, (outcome,) = sandbox.run(image, FACTS, [0])
    reports = sandbox.reports
    sandbox.run(image, FACTS, [1])

    assert reports == [Report("cat", 0.5, (0.0, 0.0, 0.5, 1.0)), *[Report("dog")] * 15]
    assert "score=7" in outcome.error
    assert sandbox.reports == []


def test_kept_picture_is_not_overwritten(make: Make, image: Image) -> None:
    """A processor may keep a picture for later; its memory is not reused."""
    sandbox = make("keep")
    sandbox.run(image, FACTS, [0])

    shown, _ = sandbox.run(255 - image, FACTS, [0])
    third, _ = sandbox.run(image, FACTS, [0])

    np.testing.assert_array_equal(shown, image)
    np.testing.assert_array_equal(third, 255 - image)


def test_user_functions_get_the_real_standard_library(make: Make, image: Image) -> None:
    """Sleep, threads and standard streams are real: no eventlet, and printing blocks nothing."""
    sandbox = make("count_threads", "green", "talk")

    _, (threads, green, *_rest) = sandbox.run(image, FACTS, [0, 1])
    talked = [sandbox.run(image, FACTS, [2])[1][0].error for _ in range(80)]

    assert threads.error == ""
    assert threads.ms > 190
    assert "ValueError: real" in green.error
    assert talked == [""] * 80


def test_hanging_function_is_killed_and_named(make: Make, image: Image) -> None:
    """A processor that never returns is killed, and the next picture gets a new process."""
    sandbox = make("number", "hang", stuck_after_s=1)

    with pytest.raises(SandboxError, match="has not returned for 1 s") as stuck:
        sandbox.run(image, FACTS, [0, 1])

    assert (stuck.value.place, stuck.value.stuck) == (1, True)
    assert sandbox.run(image, FACTS, [0])[1][0].error == ""


def test_crashing_function_is_named(make: Make, image: Image) -> None:
    """If the process dies, the running processor is named, and a new process starts."""
    sandbox = make("number", "crash")

    with pytest.raises(SandboxError, match="killed by SIGKILL") as crash:
        sandbox.run(image, FACTS, [0, 1])

    assert (crash.value.place, crash.value.stuck) == (1, False)
    assert sandbox.run(image, FACTS, [0])[1][0].error == ""


def test_exception_whose_message_raises_is_reported(make: Make, image: Image) -> None:
    """An exception whose ``str()`` raises costs only that processor's drawing."""
    sandbox = make("wordless", "black")

    made, outcomes = sandbox.run(image, FACTS, [0, 1])

    assert outcomes[0].error.startswith("raised WordlessError (processing_functions.py, line")
    assert not made.any()


def test_forking_function_answers_once(make: Make, image: Image) -> None:
    """A forked copy of the process must not answer: its answer would count for the next picture."""
    sandbox = make("fork")

    for _ in range(3):
        made, outcomes = sandbox.run(image, FACTS, [0])
        assert not outcomes[0].error
        assert (made == image).all()


def test_programs_a_function_started_are_killed_with_it(make: Make, image: Image) -> None:
    """Programs that users' code started are killed too; each hang would leave one behind."""
    sandbox = make("leave_behind", stuck_after_s=0.2)
    made, _ = sandbox.run(image, FACTS, [0])
    pid = int.from_bytes(bytes(made[0, :4, 0]), "big")
    assert is_running(pid)

    with pytest.raises(SandboxError, match="has not returned"):
        sandbox.run(image, FACTS, [0])

    deadline = time.monotonic() + 4
    while is_running(pid):
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_abandoning_does_not_wait_for_a_hanging_function(make: Make, image: Image) -> None:
    """Closing a camera does not wait for a hanging processor."""
    sandbox = make("hang")
    sandbox.prepare()
    begun = time.monotonic()
    sandbox.abandon()

    with pytest.raises(SandboxError):
        sandbox.run(image, FACTS, [0])

    assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nowhere:annotate", "there is no module 'nowhere'"),
        (f"{MODULE}:nothing", "there is no function 'nothing'"),
        (f"{MODULE}:not_a_function", "there is no function 'not_a_function'"),
        ("broken:f", "importing it raised SyntaxError"),
        ("needy:f", "needs the module 'nonesuch'"),
        ("leaving:f", "importing it raised SystemExit"),
    ],
)
def test_unusable_functions_are_reported_at_the_start(tmp_path: Path, text: str, said: str) -> None:
    """The error is one line that names the camera, the setting and the fault."""
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / "needy.py").write_text("import nonesuch\n")
    (tmp_path / "leaving.py").write_text("exit(3)\n")
    folder = Path(__file__).parent if MODULE in text else tmp_path

    with pytest.raises(ConfigError) as refused:
        check_functions({"hall": [], "door": parse_processors(["timestamp", text], folder)})

    assert str(refused.value).startswith(f"camera 'door': process = '{text}' cannot be used: ")
    assert said in str(refused.value)


def test_documented_example_works(tmp_path: Path) -> None:
    """The example in docs/processors.md runs as shown."""
    text = (ROOT / "docs" / "processors.md").read_text(encoding="utf-8")
    settings, code = (
        re.search(rf"```{kind}\n(.*?)```", text, re.DOTALL)[1]  # type: ignore[index]
        for kind in ("toml", "python")
    )
    (tmp_path / "porthole.toml").write_text(settings)
    (tmp_path / "mymodule.py").write_text(code)
    (camera,) = load_settings((), tmp_path / "porthole.toml", None, {}, {}).cameras
    check_functions({camera.name: camera.process})
    sandbox = ProcessorSandbox([(1, camera.process[1])], "door", "Door")
    image = np.zeros((240, 640, 3), np.uint8)
    image[100:, 300:] = 200

    try:
        drawn, ((place, _, error),) = sandbox.run(image, FACTS, [1])
    finally:
        sandbox.close()

    assert (place, error) == (1, "")
    assert (drawn[97:103, 320:620] == (80, 200, 255)).all(axis=2).any(axis=0).all()
    assert (drawn[20:60, :500] == 255).any()
    assert len([line for line in code.splitlines() if line.strip()]) <= 10


def test_valid_functions_pass_the_check() -> None:
    """Users' functions that can be imported pass the check, and so do built-in processors."""
    check_functions({"a": parse_processors([f"{MODULE}:annotate"], Path(__file__).parent)})
    check_functions({"a": parse_processors(["timestamp"], Path())})
