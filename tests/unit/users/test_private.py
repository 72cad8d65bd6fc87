"""Files in the state folder: who owns and reads them, and what is never lost."""

import contextlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.cluster.bus.bus import Bus
from server.cluster.shared.users import share_users
from server.control.audit import Audit
from server.control.timeline import Timeline
from server.errors import ConfigError
from server.state import StateFile
from server.users.folder import find_faults
from server.users.private import PrivateFile, load_secret, open_private, write_private
from server.users.users import UsersFile
from server.web.auth.logins import Logins
from tests.support.fakes import FakeClock
from tests.support.servers.server import FORK_SERVER

ROOT = Path(__file__).resolve().parents[3]

NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two accounts")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A state folder that another account owns and can reach."""
    above = Path(tempfile.mkdtemp(prefix="porthole-test-"))
    above.chmod(0o755)
    state = above / "state"
    state.mkdir(mode=0o700)
    os.chown(state, NOBODY, NOBODY)
    yield state
    shutil.rmtree(above)


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Run as the other account for a while."""
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def write_everything(folder: Path) -> None:
    """Write all files that a server and its commands keep in the folder."""
    UsersFile(folder).add_user("ada", "operator", None, "correct horse")
    UsersFile(folder).add_token("octo", "viewer", None)
    load_secret(folder / "secret.key")
    StateFile(folder).save({"cameras": {}})
    logins = Logins(folder / "logins.json")
    ada = UsersFile(folder).load().user("ada")
    assert ada is not None
    logins.open(ada)
    logins.save()
    audit = Audit(folder)
    audit.note("ada", "login", "::1")
    audit.close()
    timeline = Timeline(folder)
    timeline.add("info", "started", None)
    timeline.close()


@needs_root
def test_files_written_by_root_belong_to_the_folders_owner(folder: Path) -> None:
    """`sudo manage.py user add` once created a list that the server's account could not read."""
    write_everything(folder)

    names = {path.name for path in folder.iterdir()}
    assert names == {
        *("people.json", "people.lock", "secret.key", "state.json"),
        *("logins.json", "audit.log", "timeline.jsonl"),
    }
    for path in folder.iterdir():
        status = path.stat()
        owner = status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)
        assert owner == (NOBODY, NOBODY, 0o600), path
    with as_nobody():
        assert UsersFile(folder).load().user("ada")


@needs_root
def test_folder_created_by_root_gets_its_parents_owner(folder: Path) -> None:
    """The first `sudo manage.py user add` leaves a folder that the server can use."""
    added = FORK_SERVER.run(
        [
            *("user", "add", "ada", "--role", "operator"),
            *("--password-stdin", "--state", str(folder / "new")),
        ],
        {},
        "correct horse\n",
    )

    assert added.returncode == 0
    for path in (folder / "new", folder / "new" / "people.json"):
        assert path.stat().st_uid == NOBODY


def test_only_one_module_creates_files() -> None:
    """That way owner, mode and links are always handled."""
    makes = re.compile(r"O_CREAT|O_APPEND, 0o|write_text|write_bytes|open\([^)]*[\"'][wax]b?[\"']")
    writers = {
        path.name
        for path in (ROOT / "server").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if makes.search(line) and "open_private(" not in line
    }

    assert writers == {"private.py"}


@pytest.mark.parametrize("aside", ["state.new", "state.json.new", ".state.json.new"])
def test_planted_symlink_is_not_followed(tmp_path: Path, aside: str) -> None:
    """If others can write to the folder, a link must not make us write elsewhere."""
    target = tmp_path / "target"
    target.write_text("precious")
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / aside).symlink_to(target)
    (folder / "state.json").symlink_to(target)

    StateFile(folder).save({"x": 1})

    assert target.read_text() == "precious"
    assert not (folder / "state.json").is_symlink()
    assert stat.S_IMODE((folder / "state.json").stat().st_mode) == 0o600
    for name in ("people.lock", "cameras.lock"):
        (folder / name).symlink_to(tmp_path / "made")
        with pytest.raises(OSError, match="symbolic links"):
            open_private(folder / name, os.O_RDWR)
    assert not (tmp_path / "made").exists()


def test_temporary_file_name_cannot_be_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can create it beforehand, and a failed save leaves nothing."""
    seen = []

    def refuse(source: Path, target: Path) -> None:
        seen.append(source.name)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            write_private(tmp_path / "x.json", b"{}")

    assert seen[0] != seen[1]
    assert not list(tmp_path.iterdir())


@needs_root
@pytest.mark.parametrize("name", ["state.json", "logins.json", "timeline.jsonl", "people.json"])
def test_unreadable_file_is_never_replaced(folder: Path, name: str, clock: FakeClock) -> None:
    """A file that belongs to root is not broken: it used to be set aside, or overwritten."""
    write_everything(folder)
    before = (folder / name).read_bytes()
    os.chown(folder / name, 0, 0)

    with as_nobody():
        file = StateFile(folder)
        file.load()
        timeline = Timeline(folder, clock.time)
        timeline.restore()
        logins = Logins(folder / "logins.json")
        people = UsersFile(folder)
        if name == "people.json":
            with pytest.raises(ConfigError, match="sudo chown nobody"):
                people.load()
            with pytest.raises(ConfigError):
                people.add_user("eve", "operator", None, "correct horse")
        else:
            logins.load(people.load())
            ada = people.load().user("ada")
            assert ada is not None
            logins.open(ada)
        # Readable again, it still has the contents that this run never saw.
        for _ in range(2):
            if name == "state.json":
                with pytest.raises(OSError, match="left as it is"):
                    file.save({"cameras": {"eve": {}}})
            timeline.add("info", "more", None)
            timeline._write()
            logins.save()
            os.seteuid(0)
            os.chown(folder / name, NOBODY, NOBODY)
            os.seteuid(NOBODY)

    after = (folder / name).read_bytes()
    # Later notices may be appended to the timeline.
    assert after.startswith(before) if name == "timeline.jsonl" else after == before
    assert not (folder / "state.broken").exists()


@needs_root
def test_an_unreadable_list_is_not_replaced_from_the_bus(folder: Path) -> None:
    """A node that cannot read its own list does not accept another one, and does not start."""
    write_everything(folder)
    before = (folder / "people.json").read_bytes()
    os.chown(folder / "people.json", 0, 0)

    with as_nobody(), pytest.raises(ConfigError, match="cannot be read"):
        share_users(Bus("redis://127.0.0.1:1", "test"), folder).sync_first()

    assert (folder / "people.json").read_bytes() == before


@needs_root
def test_unreadable_file_is_reported(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Users learn what will not be stored, and the log says what to run."""
    write_everything(folder)
    os.chown(folder / "state.json", 0, 0)

    with as_nobody():
        faults = find_faults(folder)

    assert faults == ["state.json cannot be used: changes at run time will not survive a restart"]
    assert f"sudo chown nobody {folder / 'state.json'}" in caplog.text


def test_pipe_in_place_of_a_file_is_rejected(tmp_path: Path) -> None:
    """The server does not wait for somebody to write to it."""
    os.mkfifo(tmp_path / "people.json")

    with pytest.raises(ConfigError, match="not a regular file"):
        UsersFile(tmp_path).load()


def test_advice_for_a_broken_list_is_not_to_delete_it(tmp_path: Path) -> None:
    """The advice is to repair a broken list or set it aside; it used to be to delete it."""
    (tmp_path / "people.json").write_text("{")

    with pytest.raises(ConfigError) as caught:
        UsersFile(tmp_path).load()

    assert "mv " in str(caught.value)
    assert "remove" not in str(caught.value)


def test_only_the_end_of_a_large_file_is_read(tmp_path: Path) -> None:
    """A smaller file is returned whole, and a missing one as None."""
    write_private(tmp_path / "x", b"0123456789")

    assert PrivateFile(tmp_path / "x").read(4) == b"6789"
    assert PrivateFile(tmp_path / "x").read(40) == b"0123456789"
    assert PrivateFile(tmp_path / "y").read(4) is None


def test_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    """Settings with one used to be set aside, and a list of users with one stopped the start."""
    state, users = tmp_path / "state.json", tmp_path / "people.json"
    StateFile(tmp_path).save({"cameras": {"door": {"fps": 5}}})
    UsersFile(tmp_path).add_user("ada", "operator", None, "correct horse")
    for path in (state, users):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert StateFile(tmp_path).load() == {"cameras": {"door": {"fps": 5}}}
    assert UsersFile(tmp_path).load().user("ada") is not None
