"""Creates self-signed certificates, and parses certificates."""

import datetime
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from server.addresses import parse_address

__all__ = [
    "Certificate",
    "certifiable",
    "is_key",
    "make_certificate",
    "make_key",
    "owns",
    "read_certificate",
]

VALID_DAYS = 820
"""Apple accepts at most 825, even for certificates that users chose to trust; others have no
limit."""

# A client whose clock is a little behind must not find the certificate invalid.
EARLIER_DAYS = 1

DNS_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")

# The longest common name, X.520.
MAX_COMMON_NAME = 64


@dataclass(frozen=True, slots=True)
class Certificate:
    """The facts about a certificate that the server uses or shows.

    Attributes:
        hosts: Names and addresses it is valid for.
        begins: Start of its validity.
        ends: End of its validity.
        fingerprint: SHA-256, formatted as browsers show it.
    """

    hosts: frozenset[str]
    begins: datetime.datetime
    ends: datetime.datetime
    fingerprint: str


def read_certificate(pem: bytes) -> Certificate:
    """Parse the first certificate of a PEM file.

    Raises:
        ValueError: If there is none, or it cannot be parsed.
    """
    found = x509.load_pem_x509_certificate(pem)
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    digest = hashlib.sha256(found.public_bytes(serialization.Encoding.DER)).hexdigest().upper()
    return Certificate(
        frozenset(
            [
                *(name.lower() for name in names.get_values_for_type(x509.DNSName)),
                *map(str, names.get_values_for_type(x509.IPAddress)),
            ]
        ),
        found.not_valid_before_utc,
        found.not_valid_after_utc,
        ":".join(digest[at : at + 2] for at in range(0, len(digest), 2)),
    )


def certifiable(hosts: Iterable[str]) -> list[str]:
    """Return hosts as a certificate lists them, without duplicates and invalid ones."""
    found = {}
    for host in hosts:
        address = parse_address(host.strip("[]"))
        if address is not None and not address.is_unspecified:
            found[str(address)] = True
        elif address is None and DNS_NAME.fullmatch(host):
            found[host.lower()] = True
    return list(found)


def make_key() -> bytes:
    """Return a new P-256 private key as PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def is_key(pem: bytes) -> bool:
    """Return whether this is an unencrypted elliptic-curve private key."""
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError):  # TypeError: the key has a passphrase.
        return False
    return isinstance(key, ec.EllipticCurvePrivateKey)


def owns(key_pem: bytes, certificate_pem: bytes) -> bool:
    """Return whether a certificate can be parsed and belongs to a key."""
    key = serialization.load_pem_private_key(key_pem, None)
    try:
        found = x509.load_pem_x509_certificate(certificate_pem)
    except ValueError:
        return False
    return found.public_key() == key.public_key()


def make_certificate(key_pem: bytes, hosts: Iterable[str], now: datetime.datetime) -> bytes:
    """Return a self-signed certificate for names and addresses, as PEM.

    It cannot sign other certificates: a key stolen from this machine must not allow impersonating
    other hosts to users who trust this certificate.

    Args:
        key_pem: The private key.
        hosts: Names and addresses as returned by :func:`certifiable`. The first name other than
            localhost becomes the common name.
        now: The current time; validity starts ``EARLIER_DAYS`` before.
    """
    key = serialization.load_pem_private_key(key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    names = [_general_name(host) for host in hosts]
    titles = [name.value for name in names if isinstance(name, x509.DNSName)]
    title = next((one for one in titles if one != "localhost"), "localhost")[:MAX_COMMON_NAME]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=EARLIER_DAYS))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _general_name(host: str) -> x509.GeneralName:
    address = parse_address(host)
    return x509.IPAddress(address) if address is not None else x509.DNSName(host)
