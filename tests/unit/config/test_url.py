"""URLs with passwords: parsed correctly or rejected, and never shown."""

from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.config.address import Address, parse_address
from server.config.url import ENCODED, hide_in_text, hide_password, must_verify
from server.errors import ConfigError

PLACES = st.sampled_from(
    ("cam/live", "192.168.1.20:554/a/b?c=d&e=f", "[::1]:8554/", "cam", "cam?x", "cam.local/x#y")
)
AWKWARD = st.text(st.sampled_from("@@::/?#%%4140 []\\\"'ab.é&=;"), max_size=12)


def parse(text: str) -> Address:
    return parse_address(text, Path())


def password_of(address: Address) -> str:
    return unquote(urlsplit(address.target).password or "")


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("rtsp://ann:pw@cam/live", "rtsp://ann:pw@cam/live"),
        ("rtsp://ann@cam/live", "rtsp://ann@cam/live"),
        ("rtsp://ann:@cam/live", "rtsp://ann:@cam/live"),
        ("rtsp://ann:p%40ss@cam/live", "rtsp://ann:p%40ss@cam/live"),
        ("rtsp://ann:p@ss@cam/live", "rtsp://ann:p%40ss@cam/live"),
        ("rtsp://ann:p:ss@cam/live", "rtsp://ann:p:ss@cam/live"),
        ("rtsp://ann:p/ss@cam/live", "rtsp://ann:p%2Fss@cam/live"),
        ("rtsp://ann:p#ss@cam/live", "rtsp://ann:p%23ss@cam/live"),
        ("rtsp://ann:p?ss@cam/live", "rtsp://ann:p%3Fss@cam/live"),
        ("rtsp://ann:100%@cam/live", "rtsp://ann:100%25@cam/live"),
        ("rtsp://ann:100%zz@cam/live", "rtsp://ann:100%25zz@cam/live"),
        ("rtsp://ann:p ss@cam/live", "rtsp://ann:p%20ss@cam/live"),
        ("rtsp://ann:pä@cam/live", "rtsp://ann:p%C3%A4@cam/live"),
        ("rtsp://ann@home.example:p@ss@cam/live", "rtsp://ann%40home.example:p%40ss@cam/live"),
        ("rtsp://ann:x@[fe80::1%25eth0]:554/", "rtsp://ann:x@[fe80::1%eth0]:554/"),
        ("http://[fe80::1%eth0]/", "http://[fe80::1%eth0]/"),
        ("HTTP://cam:/", "http://cam/"),
        ("http://cam/?at=@&b=c", "http://cam/?at=@&b=c"),
    ],
)
def test_special_characters_in_a_password_are_encoded(written: str, target: str) -> None:
    """The target encodes what the user did not; such a URL used to be rejected as "no URL"."""
    assert parse(written).target == target


@pytest.mark.parametrize(
    "written",
    [
        "rtsp://ann:12/s3cret@cam/live",
        "rtsp://ann:x@y/s3cret@cam/live",
        "rtsp://ann:s3cret@cam/live@host/x",
        "rtsp://ann:s3cret%20%@cam/live",
        "rtsp://ann:s3cret%20/@cam/live",
        "rtsp://cam/s3cret@live",
    ],
)
def test_ambiguous_password_is_rejected_with_advice(written: str) -> None:
    """Where the password ends could only be guessed, and a wrong guess would send it elsewhere."""
    with pytest.raises(ConfigError) as caught:
        parse(written)

    said = str(caught.value)
    assert "rtsp://USER:PASSWORD@HOST/... with %40 for @, %2F for /, %3F for ?, %23 for #" in said
    assert "s3cret" not in said


@given(st.text(), PLACES)
def test_encoded_password_is_preserved(password: str, place: str) -> None:
    """The target contains the password as written; the public form contains none."""
    address = parse(f"rtsp://ann:{quote(password, safe='')}@{place}")

    assert password_of(address) == password
    assert urlsplit(address.target).hostname == urlsplit(f"//{place}").hostname
    assert address.public == parse(f"rtsp://ann@{place}").public


@given(AWKWARD, PLACES)
@example("x@y/", "cam/live")
@example("1/", "cam/live")
@example("%41", "cam/live")
def test_unencoded_password_is_parsed_right_or_rejected(password: str, place: str) -> None:
    """The password never reaches a wrong host, is never truncated, and is not shown if rejected."""
    try:
        address = parse(f"rtsp://ann:{password}@{place}")
    except ConfigError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert refusal.startswith("'rtsp://···@")
        return

    assert urlsplit(address.target).hostname == urlsplit(f"//{place}").hostname
    # A password that looks encoded is treated as encoded.
    meant = unquote(password) if ENCODED.search(password) else password
    assert password_of(address) == meant
    assert address.public == parse(f"rtsp://ann@{place}").public


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("rtsp://ann:s3cret@cam:554/live?a=s3cret", "rtsp://···@cam:554/live?a=···"),
        ("rtsp://s3cret@cam/", "rtsp://···@cam/"),
        ("http://cam/video?user=ann&pwd=s3cret", "http://cam/video?user=···&pwd=···"),
        ("http://cam/video?s3cret", "http://cam/video?···"),
        ("http://cam/video?pwd=s3cret#t", "http://cam/video?pwd=···"),
        ("http://cam/video#s3cret", "http://cam/video"),
        ("http://ann:p@s3cret@cam/video", "http://···@cam/video"),
        ("rtsp://cam/user=a_password=s3cret_channel=1.sdp", "rtsp://cam/user=···"),
    ],
)
def test_password_is_not_public(text: str, public: str) -> None:
    """The public form has no user information, no values, and no password in the path."""
    assert parse(text).public == public


@pytest.mark.parametrize(
    "text",
    [
        "ftp://ann:s3cret@cam/live",
        "rtsp://ann:s3cret@cam/a b",
        "rtsp://ann:s3cret@cam:0/",
        "rtsp:ann:s3cret@cam/live",
        "rtsp:/ann:s3cret@cam/live",
        "rtsp://ann:s3cret\n@cam/live",
        "rtsp://ann:s3cret/live",
        "ann:s3cret@cam/live",
        "rtps://ann:x\ns3cret@cam/live",
    ],
)
def test_error_does_not_show_the_password(text: str) -> None:
    """A rejected URL is shown without its password, however malformed it is."""
    with pytest.raises(ConfigError) as caught:
        parse(text)

    assert "s3cret" not in str(caught.value)


def test_port_out_of_range_is_reported() -> None:
    """The error names an impossible port."""
    with pytest.raises(ConfigError, match=r"not a URL \(ports are 1 to 65535\)"):
        parse("http://ann:s3cret@cam:99999/")


def test_passwords_are_hidden_in_program_output() -> None:
    """FFmpeg and others print the URL that they cannot open."""
    text = "Error opening rtsp://ann:s3cret@cam/x?k=s3cret, and http://cam/: refused"

    assert hide_in_text(text) == "Error opening rtsp://···@cam/x?k=··· and http://cam/: refused"


@given(st.text())
def test_hiding_a_password_never_fails(text: str) -> None:
    """Text that is not a source is also passed through ``hide_password`` before it is shown."""
    assert "s3cret" not in hide_password(f"{text}//ann:s3cret@{text}")


@pytest.mark.parametrize(
    ("host", "private"),
    [
        *(("127.0.0.1", True), ("192.168.1.7", True), ("10.9.8.7", True), ("169.254.3.4", True)),
        *(("::1", True), ("fe80::1", True), ("fd00::1", True), ("camera", True)),
        *(("cam.local", True), ("cam.local.", True), ("cam.home.arpa", True)),
        *(("8.8.8.8", False), ("2001:4860:4860::8888", False), ("cam.example.com", False)),
    ],
)
def test_private_hosts_need_no_valid_certificate(host: str, private: bool) -> None:
    """By default a certificate is verified only for hosts outside of private networks."""
    assert must_verify(None, host) is not private
    assert must_verify(True, host)
    assert not must_verify(False, host)
