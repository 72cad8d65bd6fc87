"""Our own certificates: what they contain, and what they may be used for."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from server.web.edge.certificate import (
    certifiable,
    is_key,
    make_certificate,
    make_key,
    owns,
    read_certificate,
)

NOW = datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.UTC)
HOSTS = ["localhost", "127.0.0.1", "::1", "attic", "attic.local", "192.168.1.7"]


def test_certificate_lists_names_and_addresses() -> None:
    """It contains each of them, since browsers compare nothing else."""
    certificate = read_certificate(make_certificate(make_key(), HOSTS, NOW))

    assert certificate.hosts == set(HOSTS)


def test_certificate_lifetime_is_accepted_by_browsers() -> None:
    """Apple rejects anything over 825 days, and a client's clock may be behind."""
    certificate = read_certificate(make_certificate(make_key(), HOSTS, NOW))

    assert certificate.begins < NOW - datetime.timedelta(hours=12)
    assert datetime.timedelta(days=365) < certificate.ends - certificate.begins
    assert certificate.ends - certificate.begins <= datetime.timedelta(days=825)


def test_certificate_cannot_sign_others() -> None:
    """Users make browsers trust it, so a stolen key must not sign for other sites."""
    found = x509.load_pem_x509_certificate(make_certificate(make_key(), HOSTS, NOW))

    public = found.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert isinstance(public.curve, ec.SECP256R1)
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not found.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def test_key_owns_only_its_own_certificates() -> None:
    """Foreign certificates and invalid ones are detected without an exception."""
    key = make_key()
    pem = make_certificate(key, HOSTS, NOW)

    assert owns(key, pem)
    assert not owns(make_key(), pem)
    assert not owns(key, b"nonsense")
    assert not owns(key, pem[:200])


def test_truncated_key_is_not_a_key() -> None:
    """Other file contents are rejected as well."""
    key = make_key()

    assert is_key(key)
    assert not any(map(is_key, (b"", b"nonsense", key[:100], make_certificate(key, HOSTS, NOW))))


def test_names_unfit_for_a_certificate_are_left_out() -> None:
    """Otherwise the certificate would lack them, and would be renewed every few seconds."""
    hosts = ["Attic.Local", "0.0.0.0", "::", "[fd00::2]", "FD00:0::2", "b\u00fcro", "a b", "", "_x"]

    assert certifiable(hosts) == ["attic.local", "fd00::2", "_x"]
    pem = make_certificate(make_key(), certifiable(hosts), NOW)
    assert read_certificate(pem).hosts == set(certifiable(hosts))
