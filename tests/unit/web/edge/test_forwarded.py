"""What a trusted proxy says about the client behind it."""

from typing import Any

import pytest

from server.errors import ConfigError
from server.web.edge.forwarded import Forwarded, asked_from_here


@pytest.mark.parametrize(
    ("trusted", "peer", "said", "client"),
    [
        ("10.0.0.0/8", "10.0.0.9", "192.0.2.1", "192.0.2.1"),
        ("10.0.0.0/8", "10.0.0.9", "1.1.1.1, 192.0.2.1, 10.0.0.7", "192.0.2.1"),
        ("10.0.0.0/8", "::ffff:10.0.0.9", "192.0.2.1", "192.0.2.1"),
        ("::ffff:10.0.0.0/104", "10.0.0.9", "192.0.2.1", "192.0.2.1"),
        ("::ffff:10.0.0.0/104", "::ffff:10.0.0.9", "192.0.2.1", "192.0.2.1"),
        ("fe80::/10", "fe80::9%eth0", "192.0.2.1", "192.0.2.1"),
        ("10.0.0.0/8", "11.0.0.9", "192.0.2.1", "11.0.0.9"),
        ("10.0.0.0/8", "10.0.0.9", "nonsense", "10.0.0.9"),
        ("10.0.0.0/8", "", "192.0.2.1", ""),
    ],
)
def test_trusted_proxies_are_recognized(trusted: str, peer: str, said: str, client: str) -> None:
    """Any notation of an address counts; a ``::`` listener sees IPv4 mapped to IPv6."""
    seen: list[str] = []

    def inside(environ: dict[str, Any], _start_response: object) -> list[bytes]:
        seen.append(environ["REMOTE_ADDR"])
        return []

    environ = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": said}
    Forwarded(inside, [trusted])(environ, lambda *_: None)

    assert seen == [client]


@pytest.mark.parametrize(
    ("remote", "said", "address"),
    [
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, rubbish", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("192.0.2.5", "127.0.0.1", "192.0.2.5"),
    ],
)
def test_client_is_the_last_untrusted_hop(remote: str, said: str, address: str) -> None:
    """Anyone can forge the hops before it; the scheme counts only from a trusted proxy."""
    seen: dict[str, Any] = {}
    layer = Forwarded(lambda environ, _: (seen.update(environ), [])[1], ["10.0.0.0/24"])
    environ = {
        "REMOTE_ADDR": remote,
        "HTTP_X_FORWARDED_FOR": said,
        "HTTP_X_FORWARDED_PROTO": "https",
        "wsgi.url_scheme": "http",
    }

    layer(environ, lambda *_: None)

    assert seen["REMOTE_ADDR"] == address
    assert seen["wsgi.url_scheme"] == ("https" if remote.startswith("10.") else "http")
    assert not asked_from_here(seen)


def test_invalid_trusted_proxy_is_rejected() -> None:
    """The error is one line with what is accepted."""
    with pytest.raises(ConfigError, match="trusted_proxies: 'proxy'"):
        Forwarded(lambda *_: [], ["proxy"])
