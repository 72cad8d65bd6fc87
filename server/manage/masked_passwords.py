"""Passwords of sources: shown as dots, and restored when a form is saved without retyping."""

import re

from server.manage.form import FormError

__all__ = ["restore_secrets"]

DOTS = "···"

PERSON = re.compile(r"^([a-z][a-z0-9+.-]*://)([^/?#]*@)?([^/?#@]*)(.*)$", re.IGNORECASE | re.DOTALL)

RETYPE = "the password is not kept for another host; type it again"
UNKNOWN = f"{DOTS} stands for a hidden part; type it again"


def restore_secrets(text: str, public: str, source: str) -> str:
    """Return an address with its secrets in place of the dots.

    Only for the same scheme, host and port: otherwise somebody who may not read a password could
    have it sent to a host of their own.

    Args:
        text: The address from the form, perhaps with dots.
        public: The address that was shown, with dots.
        source: The complete address behind ``public``.

    Raises:
        FormError: If dots are left.
    """
    if text == public:
        return source
    if DOTS not in text:
        return text
    sent, known = PERSON.match(text), PERSON.match(source)
    if sent is None or known is None:
        raise FormError({"source": UNKNOWN})
    if (sent[1].lower(), sent[3].lower()) != (known[1].lower(), known[3].lower()):
        raise FormError({"source": RETYPE})
    person = (known[2] or "") if sent[2] and DOTS in sent[2] else (sent[2] or "")
    path, mark, query = sent[4].partition("?")
    values = _values(known[4].partition("?")[2])
    query = re.sub(rf"([^&;=]+)={DOTS}", lambda found: values.get(found[1], found[0]), query)
    # The path may contain secrets: restore it if it is unchanged.
    shown = PERSON.match(public)
    if shown is not None and path == shown[4].partition("?")[0]:
        path = known[4].partition("?")[0]
    whole = sent[1] + person + sent[3] + path + mark + query
    if DOTS in whole:
        raise FormError({"source": UNKNOWN})
    return whole


def _values(query: str) -> dict[str, str]:
    """Return each ``NAME=VALUE`` of a query by its name, unparsed."""
    pairs = (one for one in re.split(r"[&;]", query) if "=" in one)
    return {one.partition("=")[0]: one for one in pairs}
