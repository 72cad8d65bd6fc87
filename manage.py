#!/usr/bin/env python3
"""Porthole's command line."""

# Before any other import: modules imported earlier keep the blocking originals. OpenCV and FFmpeg
# read their own settings from the environment when they are loaded.
import gc
import os
import sys
import warnings

if __name__ == "__main__":
    # Imported objects stay alive, and collecting garbage during imports takes a tenth of a start's
    # CPU time. The server turns the collector on once it runs.
    gc.disable()

os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "5")
os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")
# pydantic's search of all installed packages for plugins takes 20 ms, and there are none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
# eventlet warns at import that it is in maintenance mode. That is why only server/loop/ uses it.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")

try:
    import eventlet
except ModuleNotFoundError:
    print(
        "Error: this Python does not have Porthole's packages. `make run` installs them into .venv,"
        " and `. .venv/bin/activate` enters it.",
        file=sys.stderr,
    )
    sys.exit(2)

# Not os: its green open, write and waitpid would create a second hub, with its own descriptor, on
# each native thread that saves a file, and they cannot write to /dev/null.
eventlet.monkey_patch(os=False)

import dataclasses  # noqa: E402
import errno  # noqa: E402
import json  # noqa: E402
import logging  # noqa: E402
import re  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, NoReturn  # noqa: E402

import click  # noqa: E402

from server import __version__  # noqa: E402
from server.cli import accounts, media  # noqa: E402
from server.config.address import Transport, parse_address  # noqa: E402
from server.config.load import load_settings  # noqa: E402
from server.config.local import find_devices  # noqa: E402
from server.config.models import Settings, server_options  # noqa: E402
from server.errors import ConfigError, NotYetError  # noqa: E402
from server.loop import hub, memory, native  # noqa: E402
from server.manage import access  # noqa: E402
from server.users.folder import FolderLock, Use  # noqa: E402
from server.web.edge.host_names import Names, own_addresses, reachable_at  # noqa: E402

# The shipped units allow five seconds.
SHUTDOWN_LIMIT_S = 4.8

CLIENT_LIBRARIES = ("aiohttp", "redis", "requests", "tornado", "valkey", "websocket")
"""Libraries that Socket.IO imports if they are installed, and the server does not need."""


class CommandError(click.ClickException):
    """An error of a command: prints one line, and its exit code tells a service manager what to do.

    The shipped units do not restart after exit code 2, which somebody has to fix. They do after 75
    (EX_TEMPFAIL in sysexits.h), because what was missing may be available the next time.
    """

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code

    def show(self, file: Any = None) -> None:
        # Quoted values may contain line breaks; print one line anyway.
        click.echo(f"porthole: {' '.join(self.message.split())}", err=True)


def settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add a flag for every row of the settings table."""
    for option in reversed(server_options()):
        default = "none" if option.default in (None, ()) else option.default
        text = f"{option.help} Accepts {option.accepts}. Default: {default}."
        command = click.option(option.flag, option.name, metavar="VALUE", help=text)(command)
    return command


class Commands(click.Group):
    """Prints the errors of every command as one line."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except NotYetError as error:
            raise CommandError(str(error), os.EX_TEMPFAIL) from None
        except ConfigError as error:
            raise CommandError(str(error)) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="porthole")
def cli() -> None:
    """Cameras in a browser, live, under full control."""


def start_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that all serving commands have."""
    config = click.option(
        "--config", type=click.Path(path_type=Path), help="A settings file in TOML."
    )
    state = click.option(
        "--state",
        type=click.Path(path_type=Path),
        help="Folder for run-time changes. Default: .porthole beside the settings file.",
    )
    log_level = click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="info",
        help="What to log to standard error. Default: info.",
    )
    return config(state(log_level(settings_options(command))))


sources_argument = click.argument("sources", nargs=-1, metavar="[[NAME=]SOURCE]...")


@cli.command()
@sources_argument
@start_options
def run(
    sources: tuple[str, ...], config: Path | None, state: Path | None, log_level: str, **flags: str
) -> None:
    """Serve cameras and the dashboard.

    SOURCE is test: | device:N | device:/dev/... | file:PATH | rtsp://HOST/... | http(s)://HOST/...
    | exec:COMMAND, or the path of a file or device. Without a source and a settings file, it shows
    the test pattern. With --bus, it shares these cameras with other nodes, and shows theirs.
    """
    serve(read_settings(sources, config, state, flags), log_level, "cameras", "web")


@cli.command()
@start_options
def web(config: Path | None, state: Path | None, log_level: str, **flags: str) -> None:
    """Serve the dashboard for the cameras of other nodes on the bus."""
    settings = read_settings((), config, state, flags)
    require_bus(settings)
    serve(dataclasses.replace(settings, cameras=()), log_level, "web")


@cli.command()
@sources_argument
@start_options
def camera(
    sources: tuple[str, ...], config: Path | None, state: Path | None, log_level: str, **flags: str
) -> None:
    """Share cameras on the bus, for other nodes' dashboards; SOURCE is as for `run`."""
    settings = read_settings(sources, config, state, flags)
    require_bus(settings)
    memory.keep_freed_memory()
    from server.log import configure_logging
    from server.runtime import create_node

    configure_logging(log_level)
    lock = FolderLock(settings.state_dir, "cameras")
    node = create_node(settings)
    assert node.bus
    lock.tell(node.bus.place)
    shut_down_by_signal(node.shut_down)
    report_missing(settings)
    click.echo(f"Porthole {__version__} shares {_cameras(len(node.cameras))} on {node.bus.place}")
    click.echo("Ctrl-C stops it.")
    sys.stdout.flush()
    memory.settle()
    node.run(on_shutdown=limit_shutdown)
    end()


def read_settings(
    sources: tuple[str, ...], config: Path | None, state: Path | None, flags: dict[str, str]
) -> Settings:
    """Return the settings from file, environment and command line combined."""
    given = {name: text for name, text in flags.items() if text is not None}
    settings = load_settings(sources, config, state, given, os.environ)
    check_processors(settings)
    return settings


def check_processors(settings: Settings) -> None:
    """Reject processors whose function does not exist or cannot be imported."""
    for one in settings.cameras:
        for processor in one.process:
            if not processor.module and "text" in processor.options:
                check_text(one.name, processor.options["text"])
    if any(processor.module for one in settings.cameras for processor in one.process):
        from server.capture.processing.sandbox import check_functions

        check_functions({one.name: one.process for one in settings.cameras})


def report_missing(settings: Settings) -> None:
    """Print which local sources are missing. The server starts anyway: they may appear later."""
    for one in settings.cameras:
        if missing := " ".join(one.address.missing.split()):
            is_file = one.address.scheme == "file"
            hint = likely_source(one.address.public.removeprefix("file:")) if is_file else ""
            click.echo(
                f"porthole: camera {one.name}: {missing}{hint}; "
                "it is tried again while somebody watches",
                err=True,
            )


def likely_source(path: str) -> str:
    """Return a hint if the path of a missing file looks like another kind of source."""
    kinds = {"test": "test:", "device": "device:0", "rtsp": "rtsp://HOST", "http": "http://HOST"}
    found = re.match(r"(test|device|rtsp|http)s?\d*(?=$|[:/])", path)
    return f" (did you mean {kinds[found[1]]}?)" if found else ""


def check_text(camera: str, text: str) -> None:
    """Reject a caption that cannot be drawn correctly."""
    from server.capture.processing.builtin.lettering import find_unreadable

    unreadable = find_unreadable(text)
    if unreadable:
        raise ConfigError(
            f"camera {camera!r}: process: {unreadable!r} in the caption {text!r} cannot be drawn "
            "as it is read; accepted: characters of OpenCV's font that are written from left "
            "to right, without combining marks, and no emoji"
        )


def require_bus(settings: Settings) -> None:
    """Reject settings without a bus, for nodes that need one."""
    if settings.server.bus is None:
        raise ConfigError("bus is not set; accepted: --bus redis://HOST, or PORTHOLE_BUS")


def leave_out_clients() -> None:
    """Keep Socket.IO from importing libraries that only its clients and its own buses use.

    It imports whichever are installed, which takes up to 0.3 s and 20 MB. Those we use ourselves
    are imported where they are used: redis with a bus, requests in a camera's child process.
    """
    left_out = [name for name in CLIENT_LIBRARIES if name not in sys.modules]
    sys.modules.update(dict.fromkeys(left_out))  # type: ignore[arg-type]
    try:
        import socketio  # noqa: F401
    finally:
        for name in left_out:
            del sys.modules[name]


def serve(settings: Settings, log_level: str, *uses: Use) -> None:
    """Serve cameras and dashboards until a signal or an operator ends it."""
    memory.keep_freed_memory()
    leave_out_clients()
    from server.app import create_app
    from server.log import configure_logging

    configure_logging(log_level)
    lock = FolderLock(settings.state_dir, *uses)
    try:
        app = create_app(settings)
        listener = listen(settings.server.host, settings.server.port)
    except ConfigError as error:
        # A setting made on the page must not lock everybody out of the page.
        if access.revert(settings.state_dir, str(error)):
            restart_process()
        raise
    access.confirm(settings.state_dir)
    shut_down_by_signal(app.shut_down)
    first, *others = urls_of(listener, app.names, "https" if app.tls else "http")
    lock.tell(first)
    shows = _cameras(len(app.cameras)) if settings.cameras else "the cameras of the bus"
    report_missing(settings)
    click.echo(f"Porthole {__version__} shows {shows} at {first}")
    for place in others:
        click.echo(f"  also at {place}")
    if app.tls and app.tls.self_made:
        click.echo(f"  certificate fingerprint (SHA-256): {app.tls.certificate.fingerprint}")
    click.echo("Ctrl-C stops it.")
    sys.stdout.flush()
    memory.settle()
    app.run(listener, on_shutdown=limit_shutdown)
    if app.restarts:
        restart_process()
    end()


def restart_process() -> NoReturn:
    """Replace this process with the same command, which reads its settings again."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def urls_of(listener: Any, names: Names, scheme: str) -> list[str]:
    """Return the URLs at which a browser reaches a listening socket."""
    host, port = listener.getsockname()[:2]
    takes_ipv4 = ":" not in host or not listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    hosts = reachable_at(host, takes_ipv4, own_addresses(), names)
    return [f"{scheme}://{one}:{port}/" for one in hosts]


def _cameras(count: int) -> str:
    return "1 camera" if count == 1 else f"{count} cameras"


def shut_down_by_signal(shut_down: Callable[[], None]) -> None:
    """Shut down cleanly on SIGTERM, SIGINT and SIGHUP.

    SIGHUP means that the terminal was closed. Under nohup it is ignored, and stays ignored.
    """
    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    for number in numbers:
        signal.signal(number, lambda *_: shut_down())


def end() -> None:
    """Exit the process. Call it only after everything was closed and saved."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # Native threads may still be in OpenCV or in a read that never returns. Shutting the
    # interpreter down around them has been seen to abort.
    hub.exit_now(0)


def limit_shutdown() -> None:
    """Exit the process in time even if something, such as the hub itself, hangs from here on.

    This is not part of the application, which does not own the process it runs in.
    """

    def exit_late() -> None:
        native.sleep(SHUTDOWN_LIMIT_S)
        hub.exit_now(0)

    native.threading.Thread(target=exit_late, name="shutdown", daemon=True).start()


def listen(host: str, port: int) -> Any:
    """Return a listening socket; raise ConfigError if the address cannot be used."""
    try:
        return hub.listen(host, port)
    except OverflowError as error:
        raise ConfigError(f"port {port}: {error}") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        # At boot, the network or its name server may not be up yet.
        later = error.errno == errno.EADDRNOTAVAIL or error.args[0] == socket.EAI_AGAIN
        raise (NotYetError if later else ConfigError)(
            f"--host {host} --port {port}: cannot listen there ({reason}); "
            "accepted: an address of this machine and a free port, such as --port 0"
        ) from None


@cli.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option(
    "--timeout",
    type=click.FloatRange(1, 120),
    default=5.0,
    help="Seconds a source may take to open or to deliver. Default: 5.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")
@click.option(
    "--transport",
    type=click.Choice(["auto", "tcp", "udp"]),
    default="auto",
    help="How an RTSP camera sends its packets. Default: auto.",
)
@click.option(
    "--verify/--no-verify",
    default=None,
    help="Whether a TLS certificate must be valid. Default: if the host is not private.",
)
def probe(
    sources: tuple[str, ...],
    timeout: float,
    as_json: bool,
    transport: Transport,
    verify: bool | None,
) -> None:
    """Show what each SOURCE delivers, or why it does not; without a source, list the devices.

    Each source is measured for a few seconds. The exit code is 1 if any delivers nothing.
    """
    from server.probe import examine

    def say(text: str) -> None:
        click.echo(f"porthole: {text}", err=True)

    if not sources:
        list_devices(timeout, as_json, say)
        return
    try:
        addresses = [parse_address(text, Path()) for text in sources]
    except ConfigError as error:
        raise CommandError(f"source {error}") from None
    failed = False
    for address in addresses:
        used = dataclasses.replace(address, transport=transport, verify=verify)
        found = examine(used, timeout, say)
        failed = failed or not found.ok
        click.echo(json.dumps(dataclasses.asdict(found)) if as_json else str(found))
    if failed:
        raise SystemExit(1)


def list_devices(timeout_s: float, as_json: bool, say: Callable[[str], None]) -> None:
    """Print the video devices of this machine and what they deliver."""
    from server.probe import examine

    listed = []
    for device in find_devices():
        found = examine(parse_address(device.by_id or device.path, Path()), timeout_s, say)
        listed.append(device._asdict() | dataclasses.asdict(found))
        if not as_json:
            click.echo(f"{device.path}  {found}")
    if as_json:
        click.echo(json.dumps(listed))
    elif not listed:
        click.echo("No devices: there is no /dev/video* on this machine.")


cli.add_command(accounts.user)
cli.add_command(accounts.token)
cli.add_command(media.media)

if __name__ == "__main__":
    cli()
