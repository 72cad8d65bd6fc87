"""The metrics exported to Prometheus."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

from prometheus_client.parser import text_string_to_metric_families

from server.app import create_app
from server.config.load import load_settings
from server.errors import ErrorCode
from server.metrics import DROPS
from server.web.statistics import REFUSALS

ROOT = Path(__file__).resolve().parents[4]


def test_reason_counters_start_at_zero(tmp_path: Path) -> None:
    """A counter that first appears with its first event has no rate: the panel stayed empty."""
    app = create_app(load_settings(["door=test:"], None, tmp_path, {}, {}))

    text = app.flask.test_client().get("/metrics").text

    told: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert sample.labels.get("camera", "door") == "door"
            if "reason" in sample.labels:
                assert sample.value == 0
                told.setdefault(sample.name, set()).add(sample.labels["reason"])
    assert told == {
        "porthole_refused_total": set(REFUSALS),
        "porthole_dropped_frames_total": set(DROPS),
    }


def test_every_counted_reason_is_listed() -> None:
    """A new reason must be added to the list that is exported from the start."""
    refused, dropped = set(get_args(ErrorCode)), set()
    for file in (ROOT / "server").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if any(word in text for word in ("_refus", "_count", "refuse", "drops", '"code"')):
            nodes = [*ast.walk(ast.parse(text))]
            refused |= set(refusals_in(nodes))
            dropped |= set(drops_in(nodes))

    assert {"evicted", "malformed", "429", "421", "unauthorized"} <= refused
    assert {"processing", "replaced", "broken"} <= dropped
    assert refused == set(REFUSALS)
    # These count by the obstacle that a viewer names, and by a constant.
    named = {"bus", "chain", "credit", "damaged", "gone", "unread", "unsent"}
    assert dropped | named == set(DROPS)


def refusals_in(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        match node:
            case ast.Call(
                func=ast.Attribute(attr="count_refusal" | "_count_refusal" | "_count"),
                args=[ast.Constant(value=str(reason))],
            ):
                yield reason
            case ast.Call(
                func=ast.Attribute(attr="refuse"), args=[_, _, ast.Constant(value=str(reason))]
            ):
                yield reason
            case ast.Call(
                func=ast.Name(id="refuse_change"),
                args=[_, _, ast.Constant(value=str(reason)), *_],
            ):
                yield reason
            # The connection limiter counts by the HTTP status that it answers.
            case ast.Call(
                func=ast.Attribute(attr="_refuse"), args=[_, ast.Constant(value=str(s)), _]
            ):
                yield s.split()[0]
            case ast.Dict(
                keys=[ast.Constant(value="code")], values=[ast.Constant(value=str(code))]
            ):
                yield code


def drops_in(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        match node:
            case ast.AugAssign(
                target=ast.Subscript(
                    value=ast.Attribute(attr="drops" | "_drops"),
                    slice=ast.Constant(value=str(reason)),
                )
            ):
                yield reason
