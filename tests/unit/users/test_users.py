"""The list of users and tokens."""

import json
import os
import stat
from pathlib import Path

import pytest

from server.errors import AccountError, ConfigError
from server.users import password
from server.users.password import (
    HASHER,
    NOBODYS_HASH,
    check_password,
    hash_password,
    make_password,
    normalize_password,
)
from server.users.private import load_secret
from server.users.users import UsersFile
from tests.support.workers import fork

PASSWORD = "correct horse"


@pytest.fixture
def file(tmp_path: Path) -> UsersFile:
    """An empty list in a folder that does not exist yet."""
    return UsersFile(tmp_path / "state")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_missing_file_means_no_users(file: UsersFile) -> None:
    """Without a file there are no users, and reading creates nothing."""
    assert not file.load()
    assert file.stamp() is None


def test_user_is_loaded_as_added(file: UsersFile) -> None:
    """Name, role, cameras and password survive the file."""
    file.add_user("ada", "operator", ["yard", "door", "door"], PASSWORD)

    people = file.load()
    ada = people.user("ada")
    assert ada is not None
    assert (ada.name, ada.role, ada.kind) == ("ada", "operator", "user")
    assert ada.cameras == {"door", "yard"}
    assert check_password(people.hash_of("ada"), PASSWORD)
    assert not check_password(people.hash_of("ada"), PASSWORD + "s")
    assert people.user("bob") is None


def test_files_are_private(file: UsersFile, tmp_path: Path) -> None:
    """The folder is 0700, every file in it 0600, and none contains a password."""
    token = file.add_token("octo", "viewer", None)
    file.add_user("ada", "operator", None, PASSWORD)

    folder = tmp_path / "state"
    assert mode(folder) == 0o700
    for path in folder.iterdir():
        assert mode(path) == 0o600
        assert PASSWORD not in path.read_text()
        assert token not in path.read_text()
    assert "$argon2id$" in (folder / "people.json").read_text()


def test_token_identifies_its_owner(file: UsersFile) -> None:
    """A token alone identifies its owner; a wrong one, or a user's name, identifies nobody."""
    token = file.add_token("octo", "viewer", ["door"])

    people = file.load()
    octo = people.bearer(token)
    assert octo is not None
    assert (octo.name, octo.role, octo.cameras, octo.kind) == ("octo", "viewer", {"door"}, "token")
    assert people.bearer(token[:-1]) is None
    assert people.bearer("") is None
    assert people.bearer("\ud800") is None


def test_tokens_are_unique(file: UsersFile) -> None:
    """Each has 256 random bits after a prefix that says what it is."""
    tokens = {file.add_token(f"t{number}", "viewer", None) for number in range(20)}

    assert len(tokens) == 20
    assert all(token.startswith("porthole_") and len(token) == 9 + 43 for token in tokens)


def test_every_change_invalidates_the_old_user(file: UsersFile) -> None:
    """A new password, role, list of cameras, removal or re-creation ends what was open before."""
    file.add_user("ada", "viewer", None, PASSWORD)
    changes = [
        lambda: file.set_password("ada", PASSWORD),
        lambda: file.change_user("ada", "operator", None, False),
        lambda: file.change_user("ada", None, ["door"], False),
        lambda: file.change_user("ada", None, None, True),
        lambda: file.remove_user("ada"),
        lambda: file.add_user("ada", "viewer", None, PASSWORD),
    ]
    seen = [file.load().user("ada")]
    for change in changes:
        change()
        people = file.load()
        assert not any(people.has(before) for before in seen if before)
        seen.append(people.user("ada"))

    assert sum(person is None for person in seen) == 1


def test_changes_to_others_leave_a_user_valid(file: UsersFile) -> None:
    """A user who was not changed stays the same person."""
    file.add_user("ada", "viewer", None, PASSWORD)
    ada = file.load().user("ada")
    assert ada is not None

    file.add_token("octo", "viewer", None)
    file.remove_token("octo")

    assert file.load().has(ada)


def test_the_stamp_changes_with_the_file(file: UsersFile) -> None:
    """A server that polls the stamp notices every change."""
    stamps = [file.stamp()]
    for number in range(5):
        file.add_token(f"t{number}", "viewer", None)
        stamps.append(file.stamp())

    assert len(set(stamps)) == 6


@pytest.mark.parametrize("name", ["", "a b", "a:b", "../ada", "ä", "a" * 41, "-a", "a\n", "a\x1b"])
def test_invalid_names_are_rejected(file: UsersFile, name: str) -> None:
    """A name must fit into a header, a log and a notice."""
    with pytest.raises(ConfigError, match="accepted: 1 to 40"):
        file.add_user(name, "viewer", None, PASSWORD)


def test_name_is_unique_among_users_and_tokens(file: UsersFile) -> None:
    """Notices and the audit log identify people and machines by it."""
    file.add_user("ada", "viewer", None, PASSWORD)

    with pytest.raises(ConfigError, match="taken by a user"):
        file.add_user("ada", "operator", None, PASSWORD)
    with pytest.raises(ConfigError, match="taken by a user"):
        file.add_token("ada", "operator", None)


def test_names_are_case_insensitive(file: UsersFile) -> None:
    """Ada is the user ada, at login and in every command."""
    file.add_user("ada", "viewer", None, PASSWORD)
    file.add_token("Octo", "viewer", None)

    for name in ("Ada", "OCTO"):
        with pytest.raises(ConfigError, match="taken by a"):
            file.add_user(name, "operator", None, PASSWORD)
        with pytest.raises(ConfigError, match="taken by a"):
            file.add_token(name, "operator", None)
    file.change_user("ADA", "operator", None, False)
    file.set_password("Ada", "another horse")

    people = file.load()
    assert list(people.users) == ["ada"]
    ada = people.user("aDa")
    assert ada is not None
    assert (ada.name, ada.role) == ("ada", "operator")
    file.remove_user("ADA")
    file.remove_token("octo")
    assert not file.load()


def test_old_list_may_have_names_that_differ_in_case(file: UsersFile) -> None:
    """Earlier releases allowed them: each is found as it was added, and by no other spelling."""
    for name in ("ada", "bob"):
        file.add_user(name, "viewer", None, PASSWORD)
    text = file.text()
    assert text is not None
    file.replace(text.replace(b'"bob"', b'"Ada"'))

    people = file.load()
    found = [people.user(name) for name in ("ada", "Ada", "ADA")]

    assert [person and person.name for person in found] == ["ada", "Ada", None]
    file.remove_user("Ada")
    assert list(file.load().users) == ["ada"]


@pytest.mark.parametrize("camera", ["", "a b", "../x", "-"])
def test_invalid_camera_names_are_rejected(file: UsersFile, camera: str) -> None:
    """Cameras are named as in the settings."""
    with pytest.raises(ConfigError, match="is not a camera name"):
        file.add_token("octo", "viewer", [camera])


@pytest.mark.parametrize("text", ["", "seven77", "x" * 257])
def test_passwords_of_wrong_length_are_rejected(text: str) -> None:
    """The message gives the length, never the password."""
    with pytest.raises(ConfigError) as caught:
        normalize_password(text)

    assert "accepted: 8 to 256" in str(caught.value)
    assert not text or text not in str(caught.value)


def test_password_is_unicode_normalized() -> None:
    """An umlaut is one character or two, depending on the keyboard."""
    hashed = hash_password("Gr\u00fc\u00dfe an alle")

    assert check_password(hashed, "Gru\u0308\u00dfe an alle")


@pytest.mark.usefixtures("ordinary_passwords")
def test_an_unknown_name_costs_the_same_hash() -> None:
    """The dummy hash for unknown names has the same parameters as all others."""
    assert not HASHER.check_needs_rehash(NOBODYS_HASH)
    assert not HASHER.check_needs_rehash(hash_password(PASSWORD))
    assert not check_password(None, PASSWORD)


def test_overlong_password_is_not_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text longer than any password costs no more than one."""
    seen: list[str] = []
    monkeypatch.setattr(
        password, "HASHER", type("H", (), {"verify": lambda self, h, text: seen.append(text)})()
    )

    check_password("x", "y" * 10_000)

    assert seen == [""]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"users": {"ada": {}}}',
        '{"users": {"ada": {"role": "root", "generation": "12345678", "secret": "x"}}}',
        '{"version": 2}',
        "\udcff",
    ],
)
def test_broken_list_is_rejected_and_left_alone(file: UsersFile, tmp_path: Path, text: str) -> None:
    """It is rejected, not set aside: without it, the server would be open to everybody."""
    file.add_user("ada", "viewer", None, PASSWORD)
    path = tmp_path / "state" / "people.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(ConfigError, match=r"people\.json: the list of users cannot be read"):
        file.load()
    with pytest.raises(ConfigError):
        file.add_user("bob", "viewer", None, PASSWORD)
    assert path.read_bytes() == text.encode("utf-8", "surrogateescape")


def test_error_does_not_quote_a_broken_list(file: UsersFile, tmp_path: Path) -> None:
    """The message may end up in a log, where the hash must not be."""
    file.add_user("ada", "viewer", None, PASSWORD)
    path = tmp_path / "state" / "people.json"
    document = json.loads(path.read_text())
    secret = document["users"]["ada"]["secret"]
    document["users"]["ada"]["secret"] = [secret]
    path.write_text(json.dumps(document))

    with pytest.raises(ConfigError) as caught:
        file.load()

    assert "argon2" not in str(caught.value)
    assert caught.value.__cause__ is None


def _start_adding(folder: Path, prefix: str) -> int:
    """Add ten tokens in another process, as a command does; return its id."""
    pid = fork()
    if pid:
        return pid
    code = 1
    try:
        for number in range(10):
            UsersFile(folder).add_token(f"{prefix}{number}", "viewer", None)
        code = 0
    finally:
        os._exit(code)


def test_concurrent_commands_lose_no_changes(tmp_path: Path) -> None:
    """Each reads what the others wrote, however they overlap."""
    pids = [_start_adding(tmp_path, name) for name in "abc"]

    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0, 0]
    assert len(UsersFile(tmp_path).load().tokens) == 30


def test_hashes_are_not_printed(file: UsersFile) -> None:
    """Tracebacks and logs show users without their hashes."""
    file.add_user("ada", "viewer", None, PASSWORD)

    people = file.load()

    assert "ada" in repr(people)
    assert "argon2" not in repr(people)


def test_the_secret_key_is_kept_and_private(tmp_path: Path) -> None:
    """It is created once; a damaged one is replaced, which only ends logins."""
    path = tmp_path / "secret.key"
    first = load_secret(path)

    assert len(first) == 32
    assert load_secret(path) == first
    assert mode(path) == 0o600
    path.write_bytes(b"short")
    assert len(load_secret(path)) == 32


def test_page_cannot_remove_the_last_admin(tmp_path: Path) -> None:
    """This means a user with all cameras, not a token. The command line may remove the last one."""
    file = UsersFile(tmp_path, keeps_admin=True)
    with pytest.raises(AccountError, match="no admin of all cameras"):
        file.add_user("otto", "operator", None, PASSWORD)
    with pytest.raises(AccountError):
        file.add_token("robot", "admin", None)
    file.add_user("ann", "admin", None, PASSWORD)
    file.add_token("robot", "admin", None)
    for change in (
        lambda: file.remove_user("ann"),
        lambda: file.change_user("ann", "operator", None, False),
        lambda: file.change_user("ann", None, ["door"], False),
    ):
        with pytest.raises(AccountError, match="add such an admin first"):
            change()

    file.sign_out("ann")
    assert file.load().users["ann"].role == "admin"
    UsersFile(tmp_path).remove_user("ann")
    file.remove_token("robot")  # Nor was there such a user before.
    assert not file.load()


def test_a_list_without_admins_can_be_changed(tmp_path: Path) -> None:
    """A program with an admin's token can still manage users if no user was ever an admin."""
    UsersFile(tmp_path).add_user("otto", "operator", None, PASSWORD)

    UsersFile(tmp_path, keeps_admin=True).change_user("otto", "viewer", None, False)

    assert UsersFile(tmp_path).load().users["otto"].role == "viewer"


def test_generated_password_is_valid_and_easy_to_type() -> None:
    """Four groups of unmistakable letters and digits; each password is different."""
    made = {make_password() for _ in range(20)}

    assert len(made) == 20
    for one in made:
        assert normalize_password(one) == one
        assert not set(one) & set("01ilo")
