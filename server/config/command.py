"""The command of an ``exec:`` source: its words, and its public form.

Only the program of a command is shown, because the arguments may hold a password in any form.
"""

import os
import re
import shlex
from urllib.parse import unquote

from server.config.url import hide_in_text, hide_password
from server.errors import ConfigError

__all__ = ["hide_secrets", "parse_command", "split_command"]

ACCEPTED = "exec:PROGRAM ARGUMENT..., split into words as a shell does"

# Shell syntax, which a program would silently misunderstand as arguments.
FOR_SHELLS = re.compile(r"[|;]|\|\||&&?|[0-9]?(>>?|<)(&[0-9]|\S+)?|[0-9]?>&[0-9]")

# Options and properties whose value is a secret: --password X, -u X, user-pw=X, token: X.
SECRET = re.compile(
    r"-{0,2}(?:[\w.]+[-_])*(?:pass\w*|pwd?|user|login|secret|token|key|auth\w*|cookies?|u)", re.I
)

# Secrets as programs print them, even if they got them elsewhere, such as from a file.
ASSIGNED = re.compile(
    r"\b((?:[\w.]+[-_])*(?:pass\w*|pwd?|secret|token|key)\s?=\s?)(?:'[^']*'|\"[^\"]*\"|[^\s&;,]+)",
    re.I,
)

# Shorter ones would hide parts of words.
MIN_SECRET = 3


def parse_command(text: str) -> tuple[str, str]:
    """Return a command without surrounding white space, and its public form.

    Raises:
        ConfigError: If it has no words, or needs a shell.
    """
    text = text.strip()
    shown = _show(text)
    if not text or "\0" in text:
        raise ConfigError(f"'exec:' names no command; accepted: {ACCEPTED}")
    try:
        words = shlex.split(text)
    except ValueError:
        raise ConfigError(
            f"{shown!r} has an opening quote without a closing one, or ends with a backslash; "
            f"accepted: {ACCEPTED}"
        ) from None
    if not words or not words[0]:
        raise ConfigError(f"{shown!r} names no command; accepted: {ACCEPTED}")
    for word in words:
        if FOR_SHELLS.fullmatch(word):
            raise ConfigError(
                f"{shown!r} has a {word[:2]!r}, which only a shell understands; "
                f"accepted: {ACCEPTED}, or exec:sh -c 'COMMAND'"
            )
    if re.match(r"\w+=", words[0]):
        raise ConfigError(
            f"{shown!r} begins with a variable, which only a shell understands; accepted: "
            f"{ACCEPTED}, or exec:env NAME=VALUE PROGRAM ..."
        )
    return text, shown


def split_command(command: str) -> list[str]:
    """Return the words of a command that :func:`parse_command` has accepted."""
    program, *arguments = shlex.split(command)
    return [os.path.expanduser(program), *arguments]


def hide_secrets(line: str, words: list[str]) -> str:
    """Return a line of a command's output with possible secrets replaced by dots.

    Args:
        line: The line.
        words: The command's words, whose secrets the line may repeat.
    """
    for secret in sorted(_secrets(words), key=len, reverse=True):
        line = line.replace(secret, "···")
    return ASSIGNED.sub(r"\1···", hide_in_text(line))


def _words_in(word: str) -> list[str]:
    """Split an argument that is itself a command, as after ``sh -c``."""
    if not re.search(r"\s", word):
        return []
    try:
        return shlex.split(word)
    except ValueError:
        return word.split()


def _show(text: str) -> str:
    first, *others = text.split(maxsplit=1) or [""]
    program = hide_password(first.partition("=")[0])
    return f"exec:{program} ···" if others or "=" in first else f"exec:{program}"


def _secrets(words: list[str]) -> set[str]:
    """Return the values among a command's words that may be secret."""
    found: set[str] = set()
    for index, word in enumerate(words):
        name, _, value = word.partition("=")
        if value and SECRET.fullmatch(name):
            found.add(value)
        elif index and words[index - 1].startswith("-") and SECRET.fullmatch(words[index - 1]):
            found |= {word, *word.split(":")}
        for person in re.findall(r"://([^/\s]*)@", word):
            found |= {person, *person.split(":")[1:], unquote(person.partition(":")[2])}
        if header := re.match(r"(?:Proxy-)?(?:Authorization|Cookie|X-[\w-]+):\s*(.*)", word, re.I):
            found |= {header[1], *header[1].split()[1:]}
        found |= _secrets(_words_in(word))
    return {one for one in found if len(one) >= MIN_SECRET}
