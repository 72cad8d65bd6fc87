"""The HTTP API with which admins change cameras; see ``docs/manage.md``."""

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import flask
from flask import Blueprint, Response

from server.errors import RequestError, SourceError
from server.loop import hub
from server.manage.cameras import ManagedCameras
from server.manage.discovery import find_files, find_video_devices
from server.manage.form import FormError, schema
from server.manage.reach import ReachError, check_reachable
from server.manage.trial import Trials
from server.users.users import UsersFile
from server.web.auth.auth import Auth
from server.web.auth.guard import current_credential
from server.web.edge.bucket import Bucket
from server.web.http.changes import answer_json, json_errors, read_change, refuse_change

__all__ = ["create_admin_cameras"]

BASE = "/api/admin/cameras"

# Enough for a page with pictures of a dozen devices, and then for somebody typing an address.
TRIALS_PER_S = 0.5
TRIALS_AT_ONCE = 16

REVISION = re.compile(r'"?([0-9a-f]{16})"?')


def create_admin_cameras(
    managed: ManagedCameras,
    media: Path | None,
    auth: Auth,
    on_renamed: Callable[[str, str], None],
) -> Blueprint:
    """Return the routes below ``/api/admin/cameras``.

    Args:
        managed: Carries out the changes.
        media: Folder of the files that may be added; None if none may.
        auth: Has the audit log, and the users' lists of cameras.
        on_renamed: Called with a camera's old and new name.
    """
    routes = Blueprint("admin_cameras", __name__)
    catalog = managed.catalog
    trials = Trials()
    tried = Bucket(TRIALS_PER_S, TRIALS_AT_ONCE, time.monotonic())

    @routes.get("/api/admin/cameras")
    def all_cameras() -> Response:
        return answer_json(
            {
                "available": catalog.available,
                "cameras": catalog.describe_all(),
                "removed": managed.removed(),
            }
        )

    @routes.get("/api/admin/cameras/schema")
    def form() -> Response:
        return answer_json(schema())

    @routes.get("/api/admin/cameras/found")
    def found() -> Response:
        devices: list[dict[str, Any]] = [*hub.run_native(find_video_devices)]
        for device in devices:
            device["used_by"] = used_by(device["source"])
        files, more = hub.run_native(find_files, media) if media else ([], False)
        answer = {"devices": devices, "files": files, "more": more, "media": media is not None}
        return answer_json(answer)

    @routes.post("/api/admin/cameras/try")
    @json_errors(auth)
    def try_source() -> Response:
        body = read_change(auth)
        name = body.get("camera")
        given = {key: body[key] for key in ("source", "transport", "verify") if key in body}
        known = name if isinstance(name, str) else None
        camera = catalog.complete({"name": "trial"} | given, known)
        note("camera try", source=camera.address.public)
        if not tried.take(time.monotonic()):
            raise RequestError("rate_limited", "too many addresses were tried; wait a few seconds")
        picture = trials.picture(camera.address)
        headers = {
            "Cache-Control": "no-store",
            "X-Width": str(picture.width),
            "X-Height": str(picture.height),
        }
        return Response(picture.jpeg, headers=headers, content_type="image/jpeg")

    @routes.post("/api/admin/cameras")
    @json_errors(auth)
    def add() -> Response:
        values = read_change(auth)
        check_reach(values, None)
        added = managed.add(values, who())
        note("camera add", camera=added["name"], source=added["settings"]["source"])
        return answer_json(added, 201)

    @routes.put("/api/admin/cameras/<name>")
    @json_errors(auth)
    def change(name: str) -> Response:
        values = read_change(auth)
        revision = revision_seen()
        if revision is None:
            raise refuse_change(auth, 428, "bad_request", "If-Match with the revision is missing")
        check_reach(values, name)
        changed = managed.change(name, values, revision, who())
        new = changed["name"]
        if new != name:
            # People limited to some cameras keep their access to this one.
            auth.change(current_credential(), UsersFile.rename_camera, name, new)
            on_renamed(name, new)
        source = changed["settings"].get("source")
        note("camera change", camera=name, source=source, to=new if new != name else None)
        return answer_json(changed)

    @routes.delete("/api/admin/cameras/<name>")
    @json_errors(auth)
    def remove(name: str) -> Response:
        read_change(auth)
        key = managed.remove(name, revision_seen(), who())
        note("camera remove", camera=name)
        return answer_json({"undo": key, "removed": managed.removed()})

    @routes.post("/api/admin/cameras/undo")
    @json_errors(auth)
    def undo() -> Response:
        restored = managed.undo(str(read_change(auth).get("undo")), who())
        note("camera undo", camera=restored["name"])
        return answer_json(restored)

    @routes.post("/api/admin/cameras/order")
    @json_errors(auth)
    def order() -> Response:
        names = read_change(auth).get("names")
        if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
            raise FormError({"names": "accepted: a list of names"})
        managed.order(names, who())
        note("camera order", names=",".join(names))
        return answer_json({"cameras": catalog.describe_all()})

    def check_reach(values: Mapping[str, Any], name: str | None) -> None:
        """Raise FormError if a camera added on the page may not use this source."""
        if name in catalog.file:
            return
        address = catalog.complete(values, name).address
        try:
            check_reachable(address, follow=False)
        except ReachError as error:
            raise FormError({"source": str(error)}) from None
        except SourceError:
            pass  # The host name does not resolve now, but may later.

    def used_by(source: str) -> str | None:
        try:
            return catalog.uses(catalog.complete({"name": "trial", "source": source}))
        except FormError:
            return None

    def who() -> str:
        return current_credential().person.name or flask.request.remote_addr or ""

    def note(what: str, **more: str | None) -> None:
        where = flask.request.remote_addr or ""
        auth.audit.note(who(), what, where, "ok", by=current_credential().by, **more)

    return routes


def revision_seen() -> str | None:
    """Return the revision in ``If-Match``; None without the header, empty if malformed."""
    text = flask.request.headers.get("If-Match")
    found = REVISION.fullmatch(text) if text else None
    return found[1] if found else (None if text is None else "")
