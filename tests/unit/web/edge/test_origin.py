"""Which host names are accepted, and what the answer to others says."""

from typing import Any

import pytest

from server.web.edge import origin
from server.web.edge.origin import OriginCheck


def ask(check: OriginCheck, host: str) -> tuple[str, str]:
    """Return status and text of the answer to a request for a host."""
    statuses: list[str] = []
    environ = {"HTTP_HOST": host, "REQUEST_METHOD": "GET"}
    body = check(environ, lambda status, headers: statuses.append(status))
    return statuses[0].split()[0], b"".join(body).decode()


def inside(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b""]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("pi", "200"), ("PI:8000", "200"), ("pi.", "200"), ("pi.local:1", "200")),
        *(("192.0.2.9", "200"), ("[fd00::9]:80", "200"), ("localhost", "200")),
        *(("pi.evil.test", "421"), ("pi.local.evil.test", "421"), ("evil.test", "421")),
        *(("pi..", "421"), ("", "421"), ("a b", "421"), (".", "421")),
    ],
)
def test_own_names_and_addresses_are_accepted(host: str, status: str) -> None:
    """They match in any case and on any port; a name that merely starts like one is foreign."""
    assert ask(OriginCheck(inside, ["pi", "pi.local"], []), host)[0] == status


def test_rejection_names_the_option_to_set(caplog: pytest.LogCaptureFixture) -> None:
    """The answer has the option to paste; the log has it too, once per name."""
    check = OriginCheck(inside, [], [])

    for _ in range(3):
        status, text = ask(check, "Cam.example:8000")

    assert status == "421"
    assert "`--allowed-hosts cam.example`" in text
    assert 'allowed_hosts = ["cam.example"]' in text
    assert [record.message.count("--allowed-hosts cam.example") for record in caplog.records] == [1]


def test_changing_host_names_do_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Nor does an invalid or overlong name."""
    check = OriginCheck(inside, [], [])

    for number in range(3 * origin.MAX_LOGGED_NAMES):
        ask(check, f"{number}.example")
    _, long = ask(check, "a" * 5000)
    _, none = ask(check, "<script>")

    assert len(caplog.records) == origin.MAX_LOGGED_NAMES
    assert len(long) < 400
    assert "allowed" not in long + none
