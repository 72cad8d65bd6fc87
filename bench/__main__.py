"""``python -m bench``: measure Porthole and its references, and print the tables."""

import argparse
import compileall
import os
import signal
import sys
import time
from pathlib import Path

from bench.scenarios import SCENARIOS
from bench.support.content import prepare
from bench.support.machine import describe
from bench.support.process import ROOT, stolen_s
from bench.support.quiet import Quiet
from bench.support.stand import Stand

VIEWERS = "1,10,50,100,250"


def main() -> int:
    """Run the chosen scenarios; tables go to standard output, progress to standard error."""
    arguments = _read_arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # As for an installed server, whatever the environment says about writing bytecode.
    compileall.compile_dir(ROOT / "server", quiet=1)
    started, stolen = time.monotonic(), stolen_s()
    machine = describe()
    try:
        with prepare(arguments.clip) as content:
            quiet = Quiet(arguments.patience)
            stand = Stand(
                content,
                arguments.seconds,
                arguments.repeats,
                arguments.viewers,
                arguments.ack_every,
                quiet,
            )
            print(f"{machine}. Pictures: {content.origin}, {content.mean_bytes / 1024:.1f} KiB.\n")
            for name in arguments.only or SCENARIOS:
                for table in SCENARIOS[name](stand):
                    print(table, flush=True)
    except KeyboardInterrupt:
        print("bench: stopped", file=sys.stderr)
        return 130
    took_s = time.monotonic() - started
    minutes, seconds = divmod(round(took_s), 60)
    percent = 100 * (stolen_s() - stolen) / took_s / (os.cpu_count() or 1)
    print(
        f"Median of {stand.repeats} windows of {stand.seconds:g} s, minimum and maximum in "
        f"brackets. Took {minutes} min {seconds} s; {quiet.missed} measurements began while other "
        f"programs used more than a quarter of a core, and a hypervisor withheld {percent:.1f} % "
        f"of the machine."
    )
    return 0


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only",
        action="append",
        choices=list(SCENARIOS),
        help="run this scenario only; can be given several times",
    )
    parser.add_argument(
        "--seconds", type=float, default=1.5, help="length of a window; default: 1.5", metavar="S"
    )
    parser.add_argument(
        "--repeats", type=int, default=3, help="windows per measurement; default: 3", metavar="N"
    )
    parser.add_argument(
        "--viewers",
        type=_counts,
        default=_counts(VIEWERS),
        help=f"numbers of viewers to measure; default: {VIEWERS}",
        metavar="N,N",
    )
    parser.add_argument(
        "--ack-every",
        type=int,
        default=2,
        help="frames that one acknowledgement may cover; default: 2, like a browser that keeps up",
        metavar="N",
    )
    parser.add_argument("--clip", type=Path, help="a video that provides the pictures")
    parser.add_argument(
        "--patience",
        type=float,
        default=45.0,
        help="total seconds to wait for other programs to pause; default: 45",
        metavar="S",
    )
    arguments = parser.parse_args()
    if arguments.seconds <= 0 or arguments.repeats < 1 or arguments.ack_every < 1:
        parser.error("--seconds, --repeats and --ack-every must be positive")
    return arguments


def _counts(text: str) -> tuple[int, ...]:
    counts = tuple(sorted({int(part) for part in text.split(",")}))
    if counts[0] < 1 or counts[-1] > 1000:
        raise argparse.ArgumentTypeError("1 to 1000 viewers")
    return counts


if __name__ == "__main__":
    sys.exit(main())
