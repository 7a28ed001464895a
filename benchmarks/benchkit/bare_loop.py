"""The rival: a process with nothing but the loop. Prints its percentiles as JSON."""

from __future__ import annotations

import json
import sys

from benchkit.by_hand import load_by_hand, timed_loop, warm_up_by_hand
from benchkit.latencies import latency_of


def main(runtime: str, model: str, inputs: str, duration_ns: str) -> None:
    call = load_by_hand(runtime, model, inputs)
    warm_up_by_hand(call)
    print(json.dumps(latency_of(timed_loop(call, int(duration_ns)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
