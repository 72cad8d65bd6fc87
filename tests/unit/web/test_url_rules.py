"""Paths are matched and URLs built as by Flask itself."""

from pathlib import Path

import flask
import pytest
from werkzeug.routing import BuildError, Rule

from server.app import create_app
from server.config.load import load_settings
from server.web.url_rules import UrlRule


def test_start_compiles_no_url_builders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling them for every path took most of a server's start, and they were never used."""
    monkeypatch.setattr(Rule, "_compile_builder", lambda *_: pytest.fail("compiled at the start"))

    app = create_app(load_settings(["door=test:"], None, tmp_path, {}, {}))

    assert app.flask.test_client().get("/healthz").status_code == 200


@pytest.mark.parametrize("rule_class", [Rule, UrlRule])
def test_urls_are_built_as_by_flask(rule_class: type[Rule]) -> None:
    """Values that are not in the path are appended as a query."""
    app = flask.Flask("paths", static_folder=None)
    app.url_rule_class = rule_class
    app.add_url_rule("/snapshot/<name>.jpg", "snapshot", lambda name: name)

    with app.test_request_context("/"):
        assert flask.url_for("snapshot", name="front door", width=320) == (
            "/snapshot/front%20door.jpg?width=320"
        )
        with pytest.raises(BuildError, match="name"):
            flask.url_for("snapshot")
