"""Settings: which place wins, and how wrong ones are rejected."""

from dataclasses import replace
from pathlib import Path

import pytest

from server.config.load import load_settings
from server.config.models import Settings, server_options
from server.errors import ConfigError


def load(
    *sources: str,
    config: Path | None = None,
    state: Path | None = None,
    flags: dict[str, str] | None = None,
    environment: dict[str, str] | None = None,
) -> Settings:
    """Load settings from only what the test provides."""
    return load_settings(sources, config, state, flags or {}, environment or {})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path for a settings file."""
    return tmp_path / "porthole.toml"


def test_default_is_the_test_pattern() -> None:
    """Without settings there is one camera, the test pattern, on this machine only."""
    settings = load()

    assert [(camera.name, camera.address.scheme) for camera in settings.cameras] == [
        ("test", "test")
    ]
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8000)
    assert (settings.cameras[0].fps, settings.cameras[0].quality) == (None, None)
    assert settings.state_dir == Path(".porthole")


def test_settings_file_is_read(file: Path) -> None:
    """A file sets the server and its cameras; a camera's unset keys take the server's values."""
    file.write_text(
        """
        [server]
        port = 9000
        quality = 60
        fps = 12.5
        [[camera]]
        name = "Street-1"
        title = "The street"
        source = "clips/street.mp4"
        fps = 5
        quality = 90
        [[camera]]
        name = "yard"
        source = "device:1"
        """
    )

    settings = load(config=file)

    street, yard = settings.cameras
    assert settings.server.port == 9000
    assert (street.name, street.title, street.fps, street.quality) == (
        "Street-1",
        "The street",
        5,
        90,
    )
    assert street.address.target == str(file.parent / "clips/street.mp4")
    assert (yard.name, yard.title, yard.fps, yard.quality) == ("yard", "yard", 12.5, 60)
    assert settings.state_dir == file.parent / ".porthole"


def test_flag_beats_environment_beats_file(file: Path) -> None:
    """A flag wins over the environment, which wins over the file, which wins over the default."""
    file.write_text("[server]\nquality = 11\nport = 11\nrelease_after = 11\n")

    server = load(
        config=file,
        environment={"PORTHOLE_QUALITY": "22", "PORTHOLE_PORT": "22"},
        flags={"quality": "33"},
    ).server

    assert (server.quality, server.port, server.release_after, server.stall_after) == (
        33,
        22,
        11,
        2,
    )


def test_command_line_sources_replace_those_of_the_file(file: Path) -> None:
    """Cameras named on the command line are the only ones; the rest of the file applies."""
    file.write_text('[server]\nport = 9\n[[camera]]\nname = "a"\nsource = "test:"\n')

    settings = load("door=device:3", config=file)

    assert [camera.name for camera in settings.cameras] == ["door"]
    assert settings.server.port == 9


def test_generated_names_are_unique() -> None:
    """A source without a name gets a unique one, even if two sources are equal."""
    cameras = load("test:", "test:", "a=test:", "device:0", "dir/My Clip.mp4").cameras

    assert [camera.name for camera in cameras] == ["test", "test-2", "a", "device-0", "my-clip"]
    assert [camera.title for camera in cameras] == ["Test", "Test 2", "a", "Device 0", "My clip"]


def test_url_with_an_equals_sign_is_not_split() -> None:
    """Only a valid name before the equals sign is taken for one."""
    (camera,) = load("http://cam/video?size=1").cameras

    assert (camera.name, camera.address.target) == ("cam", "http://cam/video?size=1")


def test_state_folder_can_be_set(tmp_path: Path) -> None:
    """``--state`` wins over the place beside the file."""
    assert load(state=tmp_path).state_dir == tmp_path


WRONG_FILES = [
    ("port = 1", "'port' is unknown", "[server]"),
    ("server = 1", "server = 1", "[server]"),
    ("[server]\nprot = 1", "server.prot", "host, port"),
    ('[server]\nport = "80"', "server.port = '80'", "from 0 to 65535"),
    ("[server]\nport = 65536", "server.port = 65536", "from 0 to 65535"),
    ("[server]\nport = true", "server.port = True", "from 0 to 65535"),
    ("[server]\nport = 80.0", "server.port = 80.0", "from 0 to 65535"),
    ('[server]\nhost = ""', "server.host = ''", "host name"),
    ("[server]\nfps = 0", "server.fps = 0", "from 0.1 to 120"),
    ("[server]\nfps = nan", "server.fps = nan", "from 0.1 to 120"),
    ("[server]\nquality = 101", "server.quality = 101", "from 1 to 100"),
    ("[server]\ncredit_frames = 9", "server.credit_frames = 9", "from 1 to 8"),
    ("[server]\nstall_after = inf", "server.stall_after = inf", "from 0.5 to 600"),
    ("camera = 1", "camera = 1", "[[camera]]"),
    ("camera = [1]", "camera = [1]", "[[camera]]"),
    ('[[camera]]\nsource = "test:"', "camera 1: name is missing", "letters"),
    ('[[camera]]\nname = "a"', "camera 'a': source is missing", "device:N"),
    ('[[camera]]\nname = "a b"\nsource = "test:"', "name = 'a b'", "letters"),
    ('[[camera]]\nname = "-a"\nsource = "test:"', "name = '-a'", "letters"),
    ('[[camera]]\nname = "ä"\nsource = "test:"', "name = 'ä'", "letters"),
    ('[[camera]]\nname = "a\\n"\nsource = "test:"', "name = 'a\\n'", "letters"),
    ('[[camera]]\nname = ""\nsource = "test:"', "name = ''", "letters"),
    (f'[[camera]]\nname = "{"a" * 41}"\nsource = "test:"', "name = 'aaaa", "letters"),
    ('[[camera]]\nname = "a"\nsource = "webcam:0"', "'webcam:0'", "device:N"),
    ('[[camera]]\nname = "a"\nsource = 0', "source = 0", "device:N"),
    ('[[camera]]\nname = "a"\nsource = "test:"\nfsp = 1', "fsp", "name, title, source"),
    ('[[camera]]\nname = "a"\nsource = "test:"\ntitle = ""', "title = ''", "1 to 80"),
    (
        '[[camera]]\nname = "a"\nsource = "test:"\nskip_unchanged = 1',
        "skip_unchanged = 1",
        "true or false",
    ),
    ('[[camera]]\nname = "a"\nsource = "test:"\nquality = 0', "quality = 0", "from 1 to 100"),
    ('[[camera]]\nname = "a"\nsource = "test:"\n' * 2, "name = 'a'", "of its own"),
    ("port = = 1", "is not TOML", "a TOML file"),
]


@pytest.mark.parametrize(("text", "found", "accepted"), WRONG_FILES)
def test_invalid_file_is_rejected(file: Path, text: str, found: str, accepted: str) -> None:
    """The error is one line with file, key, value and what is accepted."""
    file.write_text(text)

    with pytest.raises(ConfigError) as caught:
        load(config=file)

    said = str(caught.value)
    assert str(file) in said
    assert found in said
    assert accepted in said.partition("accepted:")[2]
    assert "\n" not in said


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    """A settings file that does not exist stops the server from starting."""
    with pytest.raises(ConfigError, match="cannot be read"):
        load(config=tmp_path / "none.toml")


@pytest.mark.parametrize(
    "name",
    # A list of names takes any text, as do host names and paths.
    [
        option.name
        for option in server_options()
        if not isinstance(option.default, tuple)
        and option.name not in ("host", "media_folder", "tls_cert", "tls_key")
    ],
)
def test_invalid_text_is_rejected_from_environment_and_flags(name: str) -> None:
    """The error names the variable or the flag as the user typed it."""
    (option,) = (option for option in server_options() if option.name == name)
    wrong = {"bus_prefix": "two words"}.get(name, "many")

    with pytest.raises(ConfigError) as from_environment:
        load(environment={option.variable: wrong})
    with pytest.raises(ConfigError) as from_flag:
        load(flags={name: wrong})

    for caught, spelled in ((from_environment, option.variable), (from_flag, option.flag)):
        said = str(caught.value)
        assert spelled in said
        # A value meant for the bus may contain its password.
        assert (repr(wrong) in said) == (name != "bus")
        assert f"accepted: {option.accepts}" in said


def test_paths_are_relative_to_the_settings_file(file: Path) -> None:
    """Paths in the file start at its folder, and those in flags at the working directory."""
    file.write_text('[server]\ntls_cert = "tls/cert.pem"\ntls_key = "/etc/key.pem"\n')

    server = load(config=file).server
    flag = load(config=file, flags={"tls_cert": "own.pem"}).server

    assert server.tls_cert == str(file.parent / "tls" / "cert.pem")
    assert server.tls_key == "/etc/key.pem"
    assert flag.tls_cert == "own.pem"


def test_an_empty_variable_counts_as_unset() -> None:
    """Compose files pass unset variables as empty ones."""
    assert load(environment={"PORTHOLE_PORT": "", "PORTHOLE_BUS": ""}) == load()


def test_empty_host_flag_is_rejected() -> None:
    """Unlike an empty variable, an empty flag was given on purpose."""
    with pytest.raises(ConfigError, match="--host"):
        load(flags={"host": ""})


@pytest.mark.parametrize("name", ["http://x.example", "x.example:8000", "*.example", "a b"])
def test_allowed_host_that_cannot_match_is_rejected(name: str) -> None:
    """Such a name used to be accepted, and requests for it got 421."""
    with pytest.raises(ConfigError, match="without scheme, port"):
        load(flags={"allowed_hosts": name})


@pytest.mark.parametrize("name", ["cam 1", ""])
def test_invalid_camera_name_is_not_read_as_a_path(name: str) -> None:
    """``cam 1=test:`` used to become a camera that played a file of that name."""
    with pytest.raises(ConfigError, match=f"name '{name}' cannot be used"):
        load(f"{name}=test:")


@pytest.mark.parametrize("text", ["nan", "inf", "1e9", "-1", "0"])
def test_numbers_given_as_text_have_the_same_range(text: str) -> None:
    """A flag is rejected if the same number in the file would be."""
    with pytest.raises(ConfigError, match="--fps"):
        load(flags={"fps": text})


def test_duplicate_name_is_rejected() -> None:
    """Two cameras cannot have one name."""
    with pytest.raises(ConfigError, match="'a' is given twice"):
        load("a=test:", "a=device:0")


def test_explicit_name_equal_to_a_generated_one_is_rejected() -> None:
    """A chosen name that was already generated for another source is an error."""
    with pytest.raises(ConfigError, match="'test' is given twice"):
        load("test:", "test=device:0")


def test_foreign_environment_variables_are_ignored() -> None:
    """Only variables with our prefix are read."""
    settings = load(environment={"PORT": "1", "MY_PORTHOLE_PORT": "2"})

    assert settings.server.port == 8000


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("PORTHOLE_PRT", " (did you mean 'PORT'?)"),
        ("PORTHOLE_ALLOWED_HOST", " (did you mean 'ALLOWED_HOSTS'?)"),
        ("PORTHOLE_COLOUR", ""),
    ],
)
def test_unknown_variable_is_rejected_with_a_suggestion(variable: str, hint: str) -> None:
    """PORTHOLE_PRT=1 used to be ignored, and the server listened on another port than intended."""
    with pytest.raises(ConfigError) as caught:
        load(environment={variable: "1"})

    assert str(caught.value).startswith(
        f"environment: {variable} is unknown{hint}; accepted: PORTHOLE_ and one of HOST, PORT, "
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server]\nprot = 1", "server.prot is unknown (did you mean 'port'?)"),
        ("[server]\nPORT = 1", "server.PORT is unknown (did you mean 'port'?)"),
        ("[servr]\nport = 1", "'servr' is unknown (did you mean 'server'?)"),
        ("[[cameras]]", "'cameras' is unknown (did you mean 'camera'?)"),
        ("port = 1", "'port' is unknown here (it belongs under [server])"),
        ('[[camera]]\nnmae = "a"', "camera 1: nmae is unknown (did you mean 'name'?)"),
        (
            '[[camera]]\nname = "a"\nsource = "test:?sise=64x64"',
            "option 'sise' in 'test:?sise=64x64' is unknown (did you mean 'size'?)",
        ),
        (
            '[[camera]]\nname = "a"\nsource = "devise:0"',
            "'devise:0' is not a source (did you mean 'device'?)",
        ),
        (
            '[[camera]]\nname = "a"\nsource = "a.mp4?lop=0"',
            "option 'lop' in 'a.mp4?lop=0' is unknown (did you mean 'loop'?)",
        ),
        (
            '[[camera]]\nname = "a"\nsource = "test:"\nprocess = ["timestmp"]',
            "'timestmp' is not a processor (did you mean 'timestamp'?)",
        ),
        (
            '[[camera]]\nname = "a"\nsource = "test:"\nprocess = ["timestamp?zome=utc"]',
            "option 'zome' in 'timestamp?zome=utc' is unknown (did you mean 'zone'?)",
        ),
    ],
)
def test_mistyped_name_in_the_file_gets_a_suggestion(file: Path, text: str, said: str) -> None:
    """Wherever settings have names, the error for a typo suggests the nearest one."""
    file.write_text(text)

    with pytest.raises(ConfigError) as caught:
        load(config=file)

    assert said in str(caught.value)
    assert "; accepted" in str(caught.value)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_byte_order_marks_and_line_ends_are_accepted(file: Path, mark: str, line_end: str) -> None:
    """Windows editors write a byte order mark, which TOML's grammar does not allow."""
    text = ["# für alle", "[server]", "port = 9000", "[[camera]]", 'name = "a"', 'source = "test:"']
    file.write_bytes((mark + line_end.join(text)).encode())

    settings = load(config=file)

    assert settings.server.port == 9000
    assert settings.cameras[0].name == "a"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_file_in_another_encoding_is_reported_as_such(file: Path, encoding: str) -> None:
    """PowerShell redirection writes UTF-16; "is not TOML" would make its user check the syntax."""
    file.write_bytes("[server]\nport = 9000 # für alle".encode(encoding))

    with pytest.raises(ConfigError, match=r"is not UTF-8 text \(.*; accepted: .* saved as UTF-8"):
        load(config=file)


def test_every_setting_is_described() -> None:
    """Each row of the table describes its setting and what it accepts."""
    for option in server_options():
        assert option.help.endswith(".")
        assert option.accepts


def test_documentation_lists_every_setting() -> None:
    """The table in docs/configuration.md matches the table in the code."""
    text = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text(encoding="utf-8")

    for option in server_options():
        assert f"| `{option.name}` | " in text
        assert f"| {option.accepts} | {option.help} |" in text


def test_camera_overrides_the_servers_check_interval(file: Path) -> None:
    """``check_every`` is the camera's own value (0 included), else the server's, else 60 s."""
    file.write_text(
        '[[camera]]\nname = "a"\nsource = "http://h/"\n'
        '[[camera]]\nname = "b"\nsource = "http://h/"\ncheck_every = 0'
    )

    assert [camera.check_every for camera in load(config=file).cameras] == [60, 0]
    flags = {"check_every": "5"}
    assert [camera.check_every for camera in load(config=file, flags=flags).cameras] == [5, 0]
    assert load("http://h/", flags=flags).cameras[0].check_every == 5


def test_bus_password_is_never_shown(file: Path) -> None:
    """Neither an error nor a printed settings object shows it."""
    file.write_text('[server]\nbus = "redis:/user:hunter2@host"')

    with pytest.raises(ConfigError) as caught:
        load(config=file)
    server = load(flags={"bus": "rediss://user:hunter2@host:1/2"}).server

    assert "hunter2" not in str(caught.value)
    assert server.bus == "rediss://user:hunter2@host:1/2"
    assert "hunter2" not in repr(server)


def test_processors_are_found_beside_the_file(file: Path) -> None:
    """Modules are looked up beside the settings file; without ``process``, none are used."""
    file.write_text(
        '[[camera]]\nname = "door"\nsource = "test:"\nprocess = ["mine:annotate", "timestamp"]\n'
        '[[camera]]\nname = "yard"\nsource = "test:"\n'
    )

    door, yard = load(config=file).cameras

    assert [one.name for one in door.process] == ["annotate", "timestamp"]
    assert door.process[0].folder == str(file.parent.resolve())
    assert yard.process == ()


@pytest.mark.parametrize("process", ['"timestamp"', "[1]", "[[]]", '["mask"]'])
def test_invalid_processors_are_rejected(file: Path, process: str) -> None:
    """The error names the camera and the key."""
    file.write_text(f'[[camera]]\nname = "door"\nsource = "test:"\nprocess = {process}\n')

    with pytest.raises(ConfigError, match=r"camera 'door': process.*accepted"):
        load(config=file)


def test_command_line_camera_inherits_the_server_settings(file: Path) -> None:
    """With ``--rewind 5``, a camera of the command line used to keep a minute all the same."""
    file.write_text('[[camera]]\nname = "a"\nsource = "http://h/"\ntitle = "a"')
    flags = {
        "fps": "7",
        "quality": "50",
        "check_every": "5",
        "rewind": "5",
        "keep_days": "3",
    }

    camera = load("a=http://h/", flags=flags).cameras[0]

    assert replace(camera, title="a") == load(config=file, flags=flags).cameras[0]
