"""The shipped dashboard and scrape settings match what a server exports."""

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.servers.server import ROOT, PortholeServer

NAME = re.compile(r"\bporthole_\w+")


@pytest.fixture
def exported(start_server: Callable[..., PortholeServer]) -> dict[str, set[str]]:
    """Return the labels of each metric a server exports, by the name used in queries."""
    server = start_server("test:?size=320x180")
    with urllib.request.urlopen(server.url + "snapshot", timeout=15):
        pass  # So that the counters are not empty.
    with urllib.request.urlopen(server.url + "metrics", timeout=15) as answer:
        text = answer.read().decode()
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels[name] = {label for sample in family.samples for label in sample.labels}
    return labels


def test_dashboard_shows_every_exported_metric(exported: dict[str, set[str]]) -> None:
    """Every name in a query is exported, and every metric is on the dashboard."""
    dashboard = (ROOT / "deploy" / "grafana.json").read_text(encoding="utf-8")

    assert set(NAME.findall(dashboard)) == set(exported)


def test_dashboard_legends_use_existing_labels(exported: dict[str, set[str]]) -> None:
    """A legend uses only labels of its metric; Prometheus adds the instance."""
    for target in targets():
        for name in NAME.findall(target["expr"]):
            labels = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert labels <= exported[name] | {"instance"}, target


def test_panels_do_not_overlap() -> None:
    """Each panel has its own number and place, within the width of 24."""
    panels = json.loads((ROOT / "deploy" / "grafana.json").read_text(encoding="utf-8"))["panels"]
    places = [panel["gridPos"] for panel in panels]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_prometheus_scrapes_every_node() -> None:
    """Prometheus scrapes each node of nginx.conf directly."""
    settings = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text(encoding="utf-8"))
    nginx = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")

    (job,) = settings["scrape_configs"]

    assert job["metrics_path"] == "/metrics"
    assert job["static_configs"][0]["targets"] == re.findall(r"^    server ([\d.:]+) ", nginx, re.M)


def targets() -> Iterator[dict[str, Any]]:
    dashboard = json.loads((ROOT / "deploy" / "grafana.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        yield from panel["targets"]
