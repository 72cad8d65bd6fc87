"""The bench's command line, and what it reads from /proc."""

import subprocess
import sys
from math import nan

from bench.support.process import ROOT, cpu_s, rss_bytes
from bench.support.table import Table, quantile, spread

QUICK = ("--seconds", "0.5", "--repeats", "1", "--patience", "0")

# Burns a fifth of a second in a child that exits, then waits to be measured.
# Longer than is expected below: the kernel rounds user and system time down to 10 ms each.
PARENT_OF_A_BUSY_CHILD = """
import subprocess, sys
busy = "import time\\nwhile time.process_time() < 0.25: pass"
subprocess.run([sys.executable, "-c", busy])
print("done", flush=True)
sys.stdin.read()
"""


def test_command_line_runs_one_scenario() -> None:
    """A quick run of one scenario prints its table in Markdown."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "idle", *QUICK],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "| test pattern | live, unwatched, source open |" in done.stdout
    assert "Linux" in done.stdout.splitlines()[0]


def test_cpu_time_includes_exited_children() -> None:
    """CPU time includes that of descendants, even after they have exited."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT_OF_A_BUSY_CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()

        assert cpu_s(process.pid) > 0.19
        assert rss_bytes(process.pid) > 1_000_000

        process.kill()


def test_table_prints_as_markdown() -> None:
    """A table prints with columns, a rule, rows and notes; an unknown value is a dash."""
    table = Table("Costs", ("server", "µs"), notes=["A note."])
    table.add("floor", None)

    assert str(table) == "### Costs\n\n| server | µs |\n|---|---|\n| floor | – |\n\nA note.\n"


def test_repeats_show_their_spread() -> None:
    """The median comes first; brackets appear only where repeats differ."""
    assert spread([3.0, 1.0, 2.0]) == "2.0 (1.0–3.0)"
    assert spread([2.0, 2.0]) == "2.0"
    assert spread([nan, 2.0]) == "2.0"
    assert spread([nan]) == "nothing arrived"
    assert quantile([], 0.5) == 0
    assert quantile([1, 2, 3, 4], 0.99) == 4
