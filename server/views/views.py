"""All saved views of a server, kept as ``views.json`` in the state folder."""

import json
import logging
import re
import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from server.errors import ConfigError, PortholeError, RequestError, ViewError
from server.loop import hub
from server.loop.concurrency import ConcurrencyLimit, LimitBusy
from server.state import StateFile
from server.views.query import MAX_QUERY, clean, with_renamed

__all__ = ["EVERYBODY", "FILE", "SavedView", "ViewList", "Views"]

log = logging.getLogger(__name__)

FILE = "views.json"

EVERYBODY = None
"""The owner of the shared views, in place of a user's name."""

MAX_OWN = 50
MAX_SHARED = 100
MAX_NAME = 60
MAX_BYTES = 2_000_000

# Longest time that a change waits for the one before it.
MAX_WAIT_S = 10.0

NAME = f"1 to {MAX_NAME} characters"
ID = re.compile(r"[0-9a-f]{12}")


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class SavedView(_Kept):
    """One view: its name, and the query of the address that shows it."""

    id: Annotated[str, Field(pattern=f"^{ID.pattern}$")]
    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
    query: Annotated[str, Field(max_length=MAX_QUERY)]


class ViewList(_Kept):
    """One user's views in order, and the id of the view, own or shared, that opens first."""

    default: Annotated[str, Field(max_length=40)] | None = None
    views: list[SavedView] = Field(default_factory=list)


class _Document(_Kept):
    version: Literal[1] = 1
    shared: list[SavedView] = Field(default_factory=list)
    people: dict[str, ViewList] = Field(default_factory=dict)


class Views:
    """All saved views. Changes are made one at a time, and only if they can be stored.

    Only this process writes the file, because it holds the folder's lock.

    Args:
        folder: The state folder.

    Attributes:
        on_change: Called after a change with the views' owner, a user or :data:`EVERYBODY`.
        fault: Why the file cannot be used and views cannot be changed; empty if they can.
    """

    def __init__(self, folder: Path) -> None:
        self._file = StateFile(folder, FILE)
        self._turn = ConcurrencyLimit(1, MAX_WAIT_S)
        self._document = _Document()
        self._text: bytes | None = None
        self.on_change: Callable[[str | None], None] = lambda whose: None
        self.fault = ""

    def load(self) -> None:
        """Read the file; raises ConfigError if the folder cannot be used."""
        stored = self._file.load()
        if not stored:
            return
        try:
            self._document = _Document.model_validate(stored)
            self._text = _text_of(self._document)
        except ValidationError as error:
            where = ".".join(map(str, error.errors(include_input=False)[0]["loc"]))
            self.fault = f"{FILE} cannot be used: it has invalid content at {where}"
            log.error("%s; it is left as it is", self.fault)

    def shared(self) -> list[SavedView]:
        """Return the shared views in order."""
        return self._document.shared

    def of(self, person: str) -> ViewList:
        """Return a user's own views."""
        return self._document.people.get(person, ViewList())

    def add(self, whose: str | None, values: dict[str, Any]) -> SavedView:
        """Add a view.

        Args:
            whose: A user's name, or :data:`EVERYBODY`.
            values: ``name`` and ``query``; optionally ``id``, to restore a view that was removed,
                and ``at``, its position.

        Raises:
            ViewError: If a value cannot be used, or there are too many views.
            ConfigError: If it cannot be stored.
        """
        key = values.get("id")
        if key is not None and not (isinstance(key, str) and ID.fullmatch(key)):
            raise ViewError("id", "accepted: the id of a view that was removed")
        with self._changing(whose) as document:
            views = self._list(document, whose)
            most = MAX_SHARED if whose is EVERYBODY else MAX_OWN
            if len(views) >= most:
                raise ViewError("name", f"there are {most} views already; remove one")
            if key is not None and any(one.id == key for one in _all(document)):
                raise ViewError("id", "there is a view with this id")
            added = SavedView(
                id=key or secrets.token_hex(6),
                name=_name(values.get("name"), views),
                query=_query(values.get("query")),
            )
            views.insert(_place(values.get("at"), len(views)), added)
        return added

    def change(self, whose: str | None, key: str, values: dict[str, Any]) -> SavedView:
        """Change a view's ``name`` or ``query``, or move it to the position ``at``."""
        with self._changing(whose) as document:
            views = self._list(document, whose)
            view = _known(views, key)
            if "name" in values:
                view.name = _name(values["name"], [one for one in views if one is not view])
            if "query" in values:
                view.query = _query(values["query"])
            if "at" in values:
                views.remove(view)
                views.insert(_place(values["at"], len(views)), view)
        return view

    def remove(self, whose: str | None, key: str) -> SavedView:
        """Remove a view. It stays the default of users who chose it, in case it is restored."""
        with self._changing(whose) as document:
            views = self._list(document, whose)
            removed = _known(views, key)
            views.remove(removed)
        return removed

    def choose_default(self, person: str, key: str | None) -> None:
        """Set which view, own or shared, opens when this user opens the page; None for none."""
        with self._changing(person) as document:
            if key is not None:
                _known([*document.shared, *self.of(person).views], key)
            document.people.setdefault(person, ViewList()).default = key

    def keep_only(self, people: Collection[str]) -> None:
        """Delete the views of all other users, because somebody else may get their name."""
        if self.fault or set(self._document.people) <= set(people):
            return
        try:
            with self._changing(EVERYBODY) as document:
                for name in set(document.people) - set(people):
                    del document.people[name]
        except PortholeError as error:
            log.error("the views of users who were removed are kept: %s", error)

    def rename_camera(self, name: str, new: str) -> None:
        """Update the views of a camera that was renamed."""
        if self.fault:
            return
        renamed = {
            one.id: query
            for one in _all(self._document)
            if (query := with_renamed(one.query, name, new)) != one.query
        }
        if not renamed:
            return
        with self._changing(EVERYBODY) as document:
            for one in _all(document):
                one.query = renamed.get(one.id, one.query)

    # For the bus, which keeps this file in sync on all nodes.

    def text(self) -> bytes | None:
        """Return the file's bytes; None without a file. Raises ConfigError if there is a fault."""
        if self.fault:
            raise ConfigError(self.fault)
        return self._text

    def replace(self, text: bytes) -> None:
        """Replace the file with another node's.

        Raises:
            ConfigError: If the views are invalid or cannot be stored.
        """
        try:
            document = _Document.model_validate_json(text)
        except ValidationError:
            raise ConfigError("the bus has invalid views") from None
        with self._taking_turns():
            self._keep(document)
            # Kept byte for byte: nodes of two versions would otherwise replace each other's file
            # forever.
            self._text = text
        self.on_change(EVERYBODY)

    @contextmanager
    def _changing(self, whose: str | None) -> Iterator[_Document]:
        """Yield a copy for changes, store it, and call ``on_change``."""
        with self._taking_turns():
            document = self._document.model_copy(deep=True)
            yield document
            self._keep(document)
        self.on_change(whose)

    @contextmanager
    def _taking_turns(self) -> Iterator[None]:
        try:
            with self._turn.take():
                yield
        except LimitBusy:
            message = "another change is not finished; try again"
            raise RequestError("unavailable", message) from None

    def _keep(self, document: _Document) -> None:
        if self.fault:
            raise ConfigError(self.fault)
        text = _text_of(document)
        if len(text) > MAX_BYTES:
            raise ViewError("name", "there is no room for more views; remove some")
        try:
            hub.run_native(self._file.save, json.loads(text))
        except OSError as error:
            raise ConfigError(f"{FILE} cannot be written: {error.strerror or error}") from None
        self._document, self._text = document, text

    @staticmethod
    def _list(document: _Document, whose: str | None) -> list[SavedView]:
        if whose is EVERYBODY:
            return document.shared
        return document.people.setdefault(whose, ViewList()).views


def _text_of(document: _Document) -> bytes:
    """Return a document as every node writes it."""
    return json.dumps(document.model_dump(mode="json"), sort_keys=True).encode()


def _all(document: _Document) -> list[SavedView]:
    return [*document.shared, *(one for own in document.people.values() for one in own.views)]


def _known(views: list[SavedView], key: str) -> SavedView:
    found = next((one for one in views if one.id == key), None)
    if found is None:
        raise ViewError("", "this view does not exist any more")
    return found


def _name(value: object, others: list[SavedView]) -> str:
    """Check a name, and return it with white space collapsed."""
    name = " ".join(value.split()) if isinstance(value, str) else ""
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise ViewError("name", f"accepted: {NAME}")
    if any(one.name.casefold() == name.casefold() for one in others):
        raise ViewError("name", "there is already a view with this name; choose another one")
    return name


def _query(value: object) -> str:
    query = clean(value) if isinstance(value, str) else None
    if query is None:
        raise ViewError("query", f"accepted: the query of a view, {MAX_QUERY} characters at most")
    return query


def _place(value: object, most: int) -> int:
    if value is None:
        return most
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ViewError("at", "accepted: a position, counted from 0")
    return min(value, most)
