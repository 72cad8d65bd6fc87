"""Logins, checked against the standards' examples; test_client.py has a camera that checks them."""

import re

import pytest

from server.capture.rtsp import login as login_module
from server.capture.rtsp.login import Login

# RFC 7616, 3.9.1; the client's nonce is random, so it is fixed here.
BOTH = [
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'.replace("{}", one)
    for one in ("MD5", "SHA-256")
]
CLIENT_NONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
ANSWERS = {
    "MD5": "8ca523f5e9506fed4657c9700eebdbec",
    "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
}


class FixedNonce(bytes):
    """Stands for the random client nonce."""

    def hex(self, *_args: object) -> str:
        return CLIENT_NONCE


def field(header: str, name: str) -> str:
    found = re.search(rf'\b{name}="?([^",]*)', header)
    assert found
    return found[1]


@pytest.mark.parametrize("offered", [BOTH, BOTH[:1], [", ".join(BOTH)], ['Basic realm="x"', *BOTH]])
def test_strongest_offered_digest_is_sent(
    offered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Digests may be offered in one header or several; the values are the standard's example."""
    monkeypatch.setattr(login_module.os, "urandom", lambda _count: FixedNonce())
    login = Login("Mufasa", "Circle%20of%20Life")
    assert login.header("GET", "/dir/index.html") == ""  # Not before it is requested.
    assert login.accept(offered)

    header = login.header("GET", "/dir/index.html")

    algorithm = "MD5" if offered == BOTH[:1] else "SHA-256"
    assert field(header, "algorithm") == algorithm
    assert field(header, "response") == ANSWERS[algorithm]
    assert field(header, "nc") == "00000001"
    assert field(header, "opaque") == "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
    assert "00000002" in login.header("GET", "/dir/index.html")


def test_digest_without_qop_follows_rfc_2069() -> None:
    """Old cameras expect it as in RFC 2069, corrected: with neither a count nor an algorithm."""
    login = Login("Mufasa", "CircleOfLife")
    assert login.accept(
        ['Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"']
    )

    header = login.header("GET", "/dir/index.html")

    assert field(header, "response") == "1949323746fe6a43ef61f9606e7febea"
    assert "nc=" not in header
    assert "algorithm" not in header


def test_basic_is_sent_if_nothing_else_is_offered() -> None:
    """The login is sent as UTF-8, with the URL's encoding removed."""
    login = Login("Aladdin", "open%20sesame")

    assert login.accept(['Basic realm="WallyWorld"'])
    assert login.header("DESCRIBE", "rtsp://x/") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


@pytest.mark.parametrize(
    "offered",
    [[], ["Negotiate"], ['Digest realm="x", nonce="y", algorithm=SHA-512-256'], ["Digest"]],
)
def test_unsupported_schemes_are_not_answered(offered: list[str]) -> None:
    """Nothing is sent if no offered scheme is supported."""
    login = Login("a", "b")

    assert not login.accept(offered)
    assert login.header("OPTIONS", "rtsp://x/") == ""


def test_password_is_resent_only_for_a_stale_nonce() -> None:
    """Some cameras reject an old nonce later without calling it stale."""
    login = Login("a", "b")
    challenge = 'Digest realm="x", nonce="{}"'
    assert login.accept([challenge.format(1)])

    assert not login.accept([challenge.format(2)])
    assert login.accept([challenge.format(3) + ", stale=TRUE"])
    assert login.renew([challenge.format(4)])
    assert not login.renew([challenge.format(4)])
