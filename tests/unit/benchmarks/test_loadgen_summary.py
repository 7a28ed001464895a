"""What is read of the load generator's own summary."""

from benchkit.loadgen_loop import read_summary

SUMMARY = """\
90.0th percentile latency (ns) : 592534
Result is : VALID
Mean latency (ns)               : 591528
50.00 percentile latency (ns)   : 587231
90.00 percentile latency (ns)   : 592534
99.90 percentile latency (ns)   : 2368764
"""


def test_the_percentiles_are_found() -> None:
    assert read_summary(SUMMARY) == {"p50": 587231.0, "p90": 592534.0}
