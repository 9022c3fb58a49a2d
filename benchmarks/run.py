"""Run the benchmarks, all or the named ones, and print one table.

python benchmarks/run.py [decide tokens …] [--json] [--quick]

Every row says whether DESIGN §6 is reached. In-process rows count CPU time of the thread, chunks
of ours and of the peers alternated; HTTP rows count CPU time of the server's processes, pinned to
one core, with the client on another; wall times are shown beside them. Ratios hold from run to run,
absolute numbers do not.
"""

import argparse
import importlib
import json
import os
import signal
import sys
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path[0] = str(Path(__file__).resolve().parents[1])  # this folder is imported as `benchmarks`

NAMES = (
    "decide",
    "in_process",
    "tokens",
    "refresh",
    "http_decide",
    "events_in",
    "ring",
    "loop",
    "restart",
    "snapshot_latency",
    "evaluate",
    "kafka",
    "stores",
    "spark",
    "parts",
    "footprint",
    "scale",
    "latency",
    "regret",
    "believed",
)


def main() -> int:
    """0 when every goal was reached, else 1."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--json", action="store_true", help="one JSON document, no table")
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run at all?")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers that were started are stopped
    unknown = set(options.names) - set(NAMES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    report = importlib.import_module("benchmarks.report")
    began, machine = time.monotonic(), report.machine()
    rows = []
    if not options.json:
        print(f"{machine}\n\n{report.HEADER}", flush=True)
    for name in options.names or NAMES:
        for row in importlib.import_module(f"benchmarks.{name}").rows(quick=options.quick):
            rows.append((name, row))
            if not options.json:
                print(report.line(row), flush=True)
    missed = report.missed([row for _, row in rows])
    if options.json:
        found = [
            row.plain(name)
            if isinstance(row, report.Row)
            else {"benchmark": name, "what": row.what, "skipped": row.why}
            for name, row in rows
        ]
        after = report.machine()
        print(json.dumps({"before": machine, "after": after, "rows": found}, indent=1))
    else:
        print(f"\n{time.monotonic() - began:.0f} s; afterwards: {report.machine()}")
        print(f"not reached: {'; '.join(missed)}" if missed else "every goal was reached")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
