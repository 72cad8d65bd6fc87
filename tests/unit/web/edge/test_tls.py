"""The choice of certificate: which are rejected, generated and replaced."""

import datetime
import errno
import logging
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from server.app import create_app
from server.config.load import load_settings
from server.errors import ConfigError
from server.users import private
from server.web.edge import tls
from server.web.edge.certificate_sources import MAX_HOSTS, GivenCertificate, OwnCertificate
from server.web.edge.tls import Tls, choose_certificate
from tests.support.fakes import until
from tests.support.network.certificates import Certified

HOSTS = ("localhost", "127.0.0.1")
DAY = datetime.timedelta(days=1)


class Own:
    """Our own certificate, on a machine whose names and clock the test sets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hosts: tuple[str, ...] = HOSTS
        self.now = datetime.datetime.now(datetime.UTC)
        self.steady_s = 0.0

    def start(self) -> OwnCertificate:
        """Return the certificate as a starting server loads it."""
        return OwnCertificate(
            self.folder, lambda: self.hosts, lambda: self.now, lambda: self.steady_s
        )

    def key(self) -> bytes:
        return (self.folder / "tls-key.pem").read_bytes()


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """A machine with an empty state folder."""
    return Own(tmp_path)


def choose(cert: Path | None, key: Path | None, folder: Path) -> Tls | None:
    """Choose a certificate as the settings do."""
    return choose_certificate("off", cert and str(cert), key and str(key), folder, lambda: HOSTS)


# Certificates from the settings.


def test_certificate_and_key_may_share_a_file(certified: Certified, tmp_path: Path) -> None:
    """They may be in two files or in one."""
    both = tmp_path / "both.pem"
    both.write_bytes(certified.cert.read_bytes() + certified.key.read_bytes())

    for found in (choose(certified.cert, certified.key, tmp_path), choose(both, None, tmp_path)):
        assert found is not None
        assert not found.self_made
        assert found.certificate.hosts == set(HOSTS)


def test_tls_is_off_by_default(tmp_path: Path) -> None:
    """No file is created."""
    assert choose(None, None, tmp_path) is None
    assert not list(tmp_path.iterdir())


def encrypt(certified: Certified, folder: Path) -> Path:
    """Return the key encrypted with a passphrase."""
    done = subprocess.run(
        [
            *("openssl", "pkey", "-aes256", "-passout", "pass:secret"),
            *("-in", certified.key, "-out", folder / "encrypted.pem"),
        ],
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "encrypted.pem"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def make_pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


Files = tuple[Path | None, Path | None]

WRONG: dict[str, tuple[Callable[[Certified, Path], Files], str, str]] = {
    "missing": (lambda c, d: (d / "no.pem", c.key), "no.pem", "No such file"),
    "missing key": (lambda c, d: (c.cert, d / "no.pem"), "tls_key = ", "No such file"),
    "folder": (lambda c, d: (d, c.key), "tls_cert = ", "regular file|directory"),
    "pipe": (lambda c, d: (make_pipe(d / "pipe"), c.key), "pipe", "regular file"),
    "key for certificate": (lambda c, d: (c.key, c.key), "key.pem", "no certificate"),
    "no key": (lambda c, d: (c.cert, None), "cert.pem", "tls_key is not set"),
    "certificate for key": (lambda c, d: (c.cert, c.cert), "tls_key = ", "no private key"),
    "other key": (
        lambda c, d: (c.cert, Certified(d / "other").key),
        "other/key.pem",
        "does not belong to tls_cert",
    ),
    "passphrase": (lambda c, d: (c.cert, encrypt(c, d)), "encrypted.pem", "openssl pkey -in"),
    "broken certificate": (
        lambda c, d: (write(d / "b.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n"), c.key),
        "b.pem",
        "cannot be used",
    ),
    "broken key": (
        lambda c, d: (c.cert, write(d / "b.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n")),
        "tls_cert = ",
        "cannot be used",
    ),
    "key alone": (lambda c, d: (None, c.key), "key.pem", "tls_cert is not"),
}


@pytest.mark.parametrize("what", WRONG)
def test_unusable_file_is_named_in_the_error(
    what: str, certified: Certified, tmp_path: Path
) -> None:
    """The error is one line with the setting, its value, the fault, and what is accepted."""
    make, value, reason = WRONG[what]

    with pytest.raises(ConfigError) as caught:
        choose(*make(certified, tmp_path), tmp_path)

    assert value in str(caught.value)
    assert caught.match(reason)
    assert caught.match("accepted: ")
    assert "\n" not in str(caught.value)


def test_invalid_tls_settings_prevent_the_start(certified: Certified, tmp_path: Path) -> None:
    """This happens before anything listens; the command line prints a line and exits with 2."""
    flags = {"tls_cert": str(certified.cert)}

    with pytest.raises(ConfigError, match="tls_key is not set"):
        create_app(load_settings(["test:"], None, tmp_path / "state", flags, {}))


def test_an_expired_certificate_is_used_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A server restarted at night should still serve clients that accept it."""
    old = Certified(tmp_path / "old", ago=1000 * DAY)

    assert choose(old.cert, old.key, tmp_path)

    assert "expired" in caplog.text


# Our own certificate.


def test_own_certificate_is_reused(own: Own) -> None:
    """A browser's exception lasts: the next start uses the same certificate."""
    first, second = Tls(own.start()), Tls(own.start())

    assert first.self_made
    assert first.certificate == second.certificate
    assert first.certificate.hosts == set(HOSTS)


def test_own_certificate_files_are_private(own: Own) -> None:
    """Only the owner of the state folder reads the key."""
    Tls(own.start())

    for name in ("tls-key.pem", "tls-cert.pem"):
        assert stat.S_IMODE((own.folder / name).stat().st_mode) == 0o600


def test_own_certificate_is_renewed_before_it_expires(own: Own) -> None:
    """This happens a month before; the key stays, for clients that pinned it."""
    source = own.start()
    first, key = Tls(source).certificate, own.key()

    own.now += 780 * DAY
    assert not source.refresh()
    own.now += 20 * DAY
    assert source.refresh()

    _, second = source.load()
    assert second.ends > first.ends
    assert second.fingerprint != first.fingerprint
    assert own.key() == key


def test_certificate_from_the_future_is_replaced_after_a_day(own: Own) -> None:
    """It was made while the clock was years ahead, and all clients rejected it. A clock that is
    behind for a minute, as after a boot without a battery, does not cause a new one."""
    source = own.start()
    Tls(source)
    own.now -= 3000 * DAY
    assert not source.refresh()
    own.now += 3000 * DAY
    own.steady_s = 90000.0
    assert not source.refresh()

    own.now -= 3000 * DAY
    assert not source.refresh()
    own.steady_s += 90000.0
    assert source.refresh()

    _, certificate = source.load()
    assert certificate.begins < own.now < certificate.ends


def test_new_address_is_added_to_the_certificate(own: Own) -> None:
    """The old ones stay, so that a laptop that comes back needs no new certificate."""
    source = own.start()
    first = Tls(source).certificate

    own.hosts = (*HOSTS, "192.168.1.7")
    assert source.refresh()
    _, second = source.load()
    own.hosts = (*HOSTS, "10.0.0.9")
    assert source.refresh()
    _, third = source.load()
    own.hosts = (*HOSTS, "192.168.1.7")

    assert not source.refresh()
    assert first.hosts < second.hosts < third.hosts


def test_number_of_hosts_in_the_certificate_is_limited(own: Own) -> None:
    """The current hosts are always in it, and as many of the earlier ones as fit."""
    source = own.start()
    for number in range(100):
        own.hosts = (*HOSTS, f"10.0.0.{number}")
        assert source.refresh()

    _, certificate = source.load()
    assert certificate.hosts >= set(own.hosts)
    assert len(certificate.hosts) == MAX_HOSTS


@pytest.mark.parametrize("length", [0, 100, 10_000])
@pytest.mark.parametrize("name", ["tls-key.pem", "tls-cert.pem"])
def test_broken_certificate_files_are_replaced(own: Own, name: str, length: int) -> None:
    """For half a file, or one with another key, a working pair is generated."""
    Tls(own.start())
    other = Own(own.folder / "other")
    other.folder.mkdir()
    Tls(other.start())
    (own.folder / name).write_bytes((other.folder / name).read_bytes()[:length])

    again = Tls(own.start())

    assert again.certificate.hosts == set(HOSTS)


def test_unusable_key_file_is_an_error(own: Own) -> None:
    """The message names the setting and the path."""
    (own.folder / "tls-key.pem").mkdir()

    with pytest.raises(ConfigError, match=r"--state: .*tls-key\.pem"):
        Tls(own.start())


def test_full_disk_does_not_prevent_the_start(
    own: Own, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The old certificate still works for clients that use its old address."""
    first = Tls(own.start()).certificate

    def refuse(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(private, "write_private", refuse)
    own.hosts = (*HOSTS, "192.168.1.7")

    assert Tls(own.start()).certificate == first
    assert "No space left" in caplog.text
    with pytest.raises(ConfigError, match="No space left"):
        Tls(OwnCertificate(own.folder / "other", lambda: HOSTS))


# While it runs.


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certified:
    """Files that are checked often."""
    monkeypatch.setattr(tls, "CHECK_S", 0.01)
    return Certified(tmp_path / "shown")


def test_changed_certificate_files_are_reloaded(
    watched: Certified, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault in them is reported once, and the old pair stays in use until it is fixed."""
    caplog.set_level(logging.INFO)
    used = Tls(GivenCertificate(str(watched.cert), str(watched.key)))
    first, context = used.certificate, used.context
    new = Certified(tmp_path / "new")
    used.open()
    try:
        # A script copies the certificate first, which then does not match the key.
        shutil.copy(new.cert, watched.cert)
        until(lambda: "does not belong" in caplog.text)
        assert used.certificate == first
        assert used.context is context

        shutil.copy(new.key, watched.key)
        until(lambda: used.certificate != first)
        assert used.context is not context

        watched.cert.unlink()
        until(lambda: "No such file" in caplog.text)
        assert used.certificate != first
    finally:
        used.close()
    assert caplog.text.count("does not belong") == 1
    assert caplog.text.count("No such file") == 1
    assert used.certificate.fingerprint in caplog.text


def test_retargeted_symlink_is_followed(watched: Certified, tmp_path: Path) -> None:
    """Certbot renews this way: the old files stay, and the link leads to new ones."""
    new = Certified(tmp_path / "new")
    link = tmp_path / "live"
    link.symlink_to(watched.cert.parent)
    used = Tls(GivenCertificate(str(link / "cert.pem"), str(link / "key.pem")))
    first = used.certificate
    used.open()
    try:
        aside = tmp_path / "aside"
        aside.symlink_to(new.cert.parent)
        aside.rename(link)
        until(lambda: used.certificate != first)
    finally:
        used.close()
