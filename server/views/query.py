"""The query of the page's address that describes a saved view; ``deeplink.js`` writes it."""

from collections.abc import Callable, Collection
from urllib.parse import parse_qsl, urlencode

__all__ = ["MAX_QUERY", "clean", "limited_to", "with_renamed"]

MAX_QUERY = 2000

FIELDS = (
    *("camera", "size", "layout", "order", "sort", "page", "filter", "state", "group"),
    *("patrol", "through"),
)
"""The parameters that describe a view; others, such as the token and kiosk mode, do not."""

MAX_FIELDS = 64


def clean(text: str) -> str | None:
    """Return a query with only the parameters of a view; None if it is invalid or too long."""
    try:
        pairs = parse_qsl(text.removeprefix("?"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return None
    query = _write({key: value for key, value in pairs if key in FIELDS})
    return query if len(query) <= MAX_QUERY else None


def limited_to(query: str, sees: Callable[[str], bool], groups: Collection[str]) -> str | None:
    """Return a view as shown to somebody who may not see every camera.

    Names of other cameras are removed, as if those did not exist.

    Args:
        query: A result of :func:`clean`.
        sees: Returns whether they may know of a camera.
        groups: The groups of the cameras that they may see.

    Returns:
        The query; None if the view's camera or group is hidden from them.
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
    """Return a view's query after a camera was renamed."""
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
    """Return what a patrol cycles through, and the names of those; empty for all."""
    kind, _, names = parts.get("through", "").partition(":")
    return kind, names.split(",") if names else []


def _replace(names: list[str], name: str, new: str) -> list[str]:
    return [new if one == name else one for one in names]


def _write(parts: dict[str, str]) -> str:
    # A comma is allowed in a query, and is easier to read.
    return urlencode(parts, safe=",:")
