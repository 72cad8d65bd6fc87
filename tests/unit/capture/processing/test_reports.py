"""Processors' reports: validated, and turned into events that begin, continue and end."""

from typing import Any

import cv2
import numpy as np
import pytest

from server.capture.frames.event_report import EventReport
from server.capture.frames.frame import Frame
from server.capture.processing import reports as module
from server.capture.processing.report import Report, make_report
from server.capture.processing.reports import MAX_GOING, Reports
from server.loop import hub
from tests.support.fakes import until

UNIX = 1_700_000_000.0


def frame(seq: int) -> Frame:
    return Frame(np.full((48, 64, 3), 10 * seq, np.uint8), seq, UNIX + seq)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[EventReport]:
    """The events; they end after 0.3 s without a report, and pictures are not rate-limited."""
    monkeypatch.setattr(module, "END_S", 0.3)
    monkeypatch.setattr(module, "SEND_INTERVAL_S", 0.0)
    return []


def test_repeated_reports_continue_an_event(told: list[EventReport]) -> None:
    """An event begins with a picture, gets another with a higher score, and ends after a pause."""
    reports = Reports("door", told.append)
    for seq, score in enumerate((0.5, 0.4, 0.9, 0.9), 1):
        reports.take([Report("person", score, (0.1, 0.2, 0.3, 0.4))], frame(seq))
        hub.sleep(0.1)
    until(lambda: told[-1].ended)

    assert [(one.at_unix - UNIX, one.score, one.ended) for one in told] == [
        (1, 0.5, False),
        (3, 0.9, False),
        (4, None, True),
    ]
    shown = cv2.imdecode(np.frombuffer(told[1].jpeg or b"", np.uint8), cv2.IMREAD_COLOR)
    assert abs(int(shown[24, 32, 0]) - 30) < 3
    assert told[0].box == (0.1, 0.2, 0.3, 0.4)


def test_reports_in_one_picture_are_merged_by_label(told: list[EventReport]) -> None:
    """Three people in one picture are one event, with the highest score."""
    reports = Reports("door", told.append)
    reports.take([Report("person", one) for one in (0.2, 0.8, None)], frame(1))
    reports.take([Report("dog")], frame(1))
    until(lambda: len(told) == 4)

    assert {(one.label, one.score) for one in told} == {
        ("person", 0.8),
        ("person", None),
        ("dog", None),
    }


def test_number_of_labels_is_limited(
    told: list[EventReport], caplog: pytest.LogCaptureFixture
) -> None:
    """A processor that numbers its labels must not create an event for each."""
    reports = Reports("door", told.append)
    for number in range(100):
        reports.take([Report(f"car {number}")], frame(1))
    until(lambda: len(told) == 2 * MAX_GOING)

    assert len(caplog.records) == 1
    assert "more than 16 labels" in caplog.text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"label": ""}, "1 to 40"),
        ({"label": "x" * 41}, "1 to 40"),
        ({"label": "a\nb"}, "1 to 40"),
        ({"label": 7}, "1 to 40"),
        ({"label": "motion"}, "Porthole itself"),
        ({"label": "cat", "score": 1.1}, "score=1.1"),
        ({"label": "cat", "score": float("nan")}, "score=nan"),
        ({"label": "cat", "score": "high"}, "score='high'"),
        ({"label": "cat", "box": 3}, "box=3"),
        ({"label": "cat", "box": (0, 0, 1)}, "box="),
        ({"label": "cat", "box": (10, 20, 64, 48)}, "box=10"),
    ],
)
def test_invalid_reports_are_rejected(given: dict[str, Any], said: str) -> None:
    """The error tells the processor's author what is accepted."""
    with pytest.raises(ValueError, match=said):
        make_report(**given)


def test_numpy_numbers_are_accepted() -> None:
    """A score and a box may be numpy's, since that is what models return."""
    box = np.array([0.1, 0.2, 0.3, 0.4], np.float64)

    assert make_report("cat", np.float64(0.5), box) == Report("cat", 0.5, (0.1, 0.2, 0.3, 0.4))
