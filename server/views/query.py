"""What a saved view shows, as the query of the page's address; ``deeplink.js`` writes it."""

from collections.abc import Callable, Collection
from urllib.parse import parse_qsl, urlencode

__all__ = ["MAX_QUERY", "clean", "limited_to", "with_renamed"]

MAX_QUERY = 2000

FIELDS = (
    *("camera", "size", "layout", "order", "sort", "page", "filter", "state", "group"),
    *("patrol", "through"),
)
"""The parts of an address that describe a view. A token, or being a kiosk, is none of them."""

MAX_FIELDS = 64


def clean(text: str) -> str | None:
    """Return a query without what describes no view; None if it is none, or too long."""
    try:
        pairs = parse_qsl(text.removeprefix("?"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return None
    query = _write({key: value for key, value in pairs if key in FIELDS})
    return query if len(query) <= MAX_QUERY else None


def limited_to(query: str, sees: Callable[[str], bool], groups: Collection[str]) -> str | None:
    """Return what is left of a view for somebody who may not see every camera.

    Names of other cameras are taken out, as if there were none of that name.

    Args:
        query: As :func:`clean` returned it.
        sees: Whether they may know of a camera.
        groups: Those of the cameras that they may see.

    Returns:
        None if the view shows nothing but what they may not see.
    """
    parts = dict(parse_qsl(query, keep_blank_values=True))
    if "camera" in parts and not sees(parts["camera"]):
        return None
    if "group" in parts and parts["group"] not in groups:
        return None
    if "order" in parts:
        parts["order"] = ",".join(filter(sees, parts["order"].split(",")))
    kind, names = _through(parts)
    if names:
        seen = [name for name in names if kind != "cameras" or sees(name)]
        parts["through"] = f"{kind}:{','.join(seen)}" if seen else kind
    return _write(parts)


def with_renamed(query: str, name: str, new: str) -> str:
    """Return a view in which a camera has another name."""
    parts = dict(parse_qsl(query, keep_blank_values=True))
    if parts.get("camera") == name:
        parts["camera"] = new
    if "order" in parts:
        parts["order"] = ",".join(_replace(parts["order"].split(","), name, new))
    kind, names = _through(parts)
    if kind == "cameras" and names:
        parts["through"] = f"{kind}:{','.join(_replace(names, name, new))}"
    return _write(parts)


def _through(parts: dict[str, str]) -> tuple[str, list[str]]:
    """Return through what a patrol turns, and which of them; none are all."""
    kind, _, names = parts.get("through", "").partition(":")
    return kind, names.split(",") if names else []


def _replace(names: list[str], name: str, new: str) -> list[str]:
    return [new if one == name else one for one in names]


def _write(parts: dict[str, str]) -> str:
    # A comma is allowed in a query, and is easier to read.
    return urlencode(parts, safe=",:")
