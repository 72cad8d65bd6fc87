"""Commands: how they are split, and that their passwords are never shown."""

import pytest

from server.config.command import hide_secrets, parse_command, split_command


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("rpicam-vid -t 0 -o -", ["rpicam-vid", "-t", "0", "-o", "-"]),
        ("sh -c 'a | b > c'", ["sh", "-c", "a | b > c"]),
        (r"a\ b 'c d' \"e", ["a b", "c d", '"e']),
        ("gst-launch-1.0 a ! b $HOME *", ["gst-launch-1.0", "a", "!", "b", "$HOME", "*"]),
    ],
)
def test_command_is_split_like_in_a_shell(command: str, words: list[str]) -> None:
    """Quotes and backslashes are interpreted; variables and wildcards are not."""
    text, _ = parse_command(command)

    assert split_command(text) == words


def test_tilde_is_expanded_in_the_program_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tilde works in the program's path; arguments are passed on as written."""
    monkeypatch.setenv("HOME", "/home/ann")

    assert split_command("~/camera ~/x") == ["/home/ann/camera", "~/x"]


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("my-camera", "exec:my-camera"),
        ("my-camera --password s3cret", "exec:my-camera ···"),
        ("ffmpeg -i rtsp://ann:s3cret@cam/ -f mjpeg -", "exec:ffmpeg ···"),
        ("/opt/my-camera s3cret", "exec:/opt/my-camera ···"),
    ],
)
def test_only_the_program_is_shown(command: str, shown: str) -> None:
    """Arguments are hidden, since any of them may be a password."""
    assert parse_command(command)[1] == shown


@pytest.mark.parametrize(
    ("command", "line", "shown"),
    [
        ("ffmpeg -i rtsp://ann:s3cret@cam/", "rtsp://ann:s3cret@cam/: no", "rtsp://···@cam/: no"),
        ("ffmpeg -i rtsp://ann:s%33cret@cam/", "s3cret is wrong", "··· is wrong"),
        ("cam --password s3cret", "s3cret is wrong", "··· is wrong"),
        ("cam --password=s3cret", "s3cret is wrong", "··· is wrong"),
        ("gst rtspsrc user-pw=s3cret", "s3cret is wrong", "··· is wrong"),
        ("curl -u ann:s3cret x", "s3cret is wrong", "··· is wrong"),
        ("curl -H 'Authorization: Bearer s3cret'", "Bearer s3cret is wrong", "··· is wrong"),
        ("sh -c 'cam --password s3cret | cat'", "s3cret is wrong", "··· is wrong"),
        ("cam", "no: password=s3cret, user-pw = 's3 cret'", "no: password=···, user-pw = ···"),
        ("cam --size 640", "640 is wrong", "640 is wrong"),
        ("cam", "cannot open http://cam/?key=s3cret", "cannot open http://cam/?key=···"),
    ],
)
def test_passwords_are_hidden_in_command_output(command: str, line: str, shown: str) -> None:
    """Failing programs repeat their arguments, and their last line becomes the camera's reason."""
    assert hide_secrets(line, split_command(command)) == shown
