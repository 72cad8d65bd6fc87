"""The commands that maintain recordings: ``media check`` and ``media trust-clock``."""

import json
import sqlite3
from pathlib import Path

import click

from server.cli.accounts import state_options
from server.config.load import load_settings
from server.errors import ConfigError
from server.recording.disk.check import Report, check
from server.recording.disk.index import Index
from server.recording.disk.storage import trust_clock

__all__ = ["media"]


@click.group()
def media() -> None:
    """Maintain recordings and events."""


@media.command("check")
@state_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def _check(config: Path | None, state: Path | None, as_json: bool) -> None:
    """Read all recordings, cut off incomplete ends, and rebuild the index.

    A server may run meanwhile: files that it is writing are left alone. The exit code is 1 if there
    are files that cannot be played.
    """
    settings = load_settings((), config, state, {}, {})
    folder = settings.state_dir / "media"
    index = Index(folder)
    try:
        report = check(folder, index)
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"{folder}: cannot be checked ({error})") from error
    finally:
        index.close()
    click.echo(json.dumps(report.describe()) if as_json else _format(report))
    if report.unusable:
        raise SystemExit(1)


@media.command("trust-clock")
@state_options
def _trust_clock(config: Path | None, state: Path | None) -> None:
    """Delete what is older than keep_days, although the clock has jumped ahead.

    A running server does so within a minute, otherwise the next one that starts.
    """
    folder = load_settings((), config, state, {}, {}).state_dir / "media"
    try:
        trust_clock(folder)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written ({error.strerror})") from error
    click.echo("the clock is trusted: anything older than keep_days will be deleted")


def _format(report: Report) -> str:
    lines = [
        f"{report.recordings} recordings, {report.events} events",
        *(f"{one}: the end was incomplete, and was cut off" for one in report.repaired),
        *(f"{one}: contained no picture; deleted" for one in report.removed),
        *(f"{one}: cannot be played; left as it is" for one in report.unusable),
    ]
    if report.index_was_broken:
        lines.append("the index could not be read, and was set aside")
    if report.open:
        lines.append(f"{report.open} are being written")
    lines.append(
        f"{report.added} index entries were missing or wrong, and {report.dropped} had no file"
    )
    return "\n".join(lines)
