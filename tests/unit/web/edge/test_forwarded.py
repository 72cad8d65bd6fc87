"""What a trusted proxy says of the client behind it."""

from typing import Any

import pytest

from server.web.edge.forwarded import Forwarded


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
def test_trusted_proxies_are_believed(trusted: str, peer: str, said: str, client: str) -> None:
    """Whichever way an address is written; a listener on ``::`` sees IPv4 ones within IPv6."""
    seen: list[str] = []

    def inside(environ: dict[str, Any], _start_response: object) -> list[bytes]:
        seen.append(environ["REMOTE_ADDR"])
        return []

    environ = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": said}
    Forwarded(inside, [trusted])(environ, lambda *_: None)

    assert seen == [client]
