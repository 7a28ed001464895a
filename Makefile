# Every target does its own set-up in .venv; a second call installs nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.bench-installed
AGENT_VENV := .venv-agent
AGENT_STAMP := $(AGENT_VENV)/.installed
# The oldest Python the agent supports where it is at hand, else the one at hand.
AGENT_PYTHON := $(shell command -v python3.10 >/dev/null 2>&1 && python3.10 -c '' 2>/dev/null && echo python3.10 || echo $(PYTHON))
TFLITE_VENV := .venv-tflite
TFLITE_STAMP := $(TFLITE_VENV)/.installed
# tflite-runtime has no wheels beyond Python 3.11; without that Python its test is skipped and says so.
TFLITE_PYTHON := $(shell command -v python3.11 >/dev/null 2>&1 && python3.11 -c '' 2>/dev/null && echo python3.11 || echo $(PYTHON))
METADATA := pyproject.toml agent/pyproject.toml protos/pyproject.toml constraints.txt

.PHONY: setup environments demo test test-slow test-devices soak lint types bench bench-fleet bench-statistics bench-compression protos clean

setup: $(STAMP)

# Compiled by all processors, where pip takes one; not at all would be slower: workers, which may write nowhere, would
# compile their runtime at each start. (Some packages hold templates that are no Python.)
$(STAMP): $(METADATA)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "trimtab's host needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt -e ./protos -e './agent[executorch,openvino,torch]' -e '.[compress,dev]'
	$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >$(VENV)/compiled.log 2>&1 || true
	touch $@

# A board's environment: only the agent and one runtime, the older generation of protobuf.
$(AGENT_STAMP): $(METADATA) agent/constraints.txt
	rm -rf $(AGENT_VENV)
	$(AGENT_PYTHON) -m venv $(AGENT_VENV)
	$(AGENT_VENV)/bin/python -m pip install --quiet -c agent/constraints.txt ./protos './agent[onnxruntime]' 'protobuf<7'
	touch $@

# A 32-bit board's runtime, which answers wrongly without an error: what agreement checks are tested with.
$(TFLITE_STAMP): $(METADATA)
	rm -rf $(TFLITE_VENV)
	$(TFLITE_PYTHON) -m venv $(TFLITE_VENV)
	$(TFLITE_VENV)/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 12))' || \
		$(TFLITE_VENV)/bin/python -m pip install --quiet ./protos './agent[tflite-runtime]'
	touch $@

# The environments that tests of other generations of packages need.
environments: $(AGENT_STAMP) $(TFLITE_STAMP)

demo: $(STAMP)
	$(BIN)/trimtab demo --out demo-out

# Side by side, a thread each, the longest first; whatever measures needs the machine to itself.
TESTS := tests/system tests/integration tests/fuzz tests/unit tests/contract tests/boundaries
ALONE = $(shell grep -rl --include='test_*.py' 'mark\.alone' tests)
SIDE_BY_SIDE := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(TESTS)

test: $(STAMP) $(AGENT_STAMP)
	$(SIDE_BY_SIDE) -m 'not alone and not slow and not soak'
	$(BIN)/python -m pytest $(ALONE) -m 'alone and not slow and not soak'

# What `make test` leaves out: the long ways of measuring, each with real devices and runtimes.
test-slow: $(STAMP) $(AGENT_STAMP) $(TFLITE_STAMP)
	$(SIDE_BY_SIDE) -m 'slow and not alone'
	$(BIN)/python -m pytest $(ALONE) -m 'slow and alone'

# A real kernel's sensors in an emulator, some ten minutes; skips with the reason where it cannot.
test-devices: $(STAMP)
	$(BIN)/python -m pytest -m devices tests/devices

# Thousands of jobs, faults at random moments, fuzzing: about an hour, with the machine to itself.
soak: $(STAMP)
	$(BIN)/python -m pytest -m soak tests

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python protos/generate.py --check

types: $(STAMP)
	$(BIN)/mypy

# Some 17 minutes. TRIMTAB_BENCH_FILE=rows.jsonl: go on where it was broken off.
bench: $(STAMP) $(BENCH_STAMP)
	@status=0; for name in null_runtime harness_overhead probe_cost push_throughput isolation_cost rivals; do \
		$(BIN)/python benchmarks/$$name.py || status=1; done; exit $$status

# 10 to 200 agents on this machine, 5 jobs each: some 18 minutes, and 12 GB of memory.
# TRIMTAB_BENCH_FILE=fleet.jsonl: go on where it was broken off.
bench-fleet: $(STAMP)
	$(BIN)/python benchmarks/fleet_scale.py

# How often intervals hold (4 minutes), and how often comparisons are right (1.5 hours, resumable).
bench-statistics: $(STAMP)
	$(BIN)/python benchmarks/interval_coverage.py
	$(BIN)/python benchmarks/comparison_verdicts.py quiet=200 busy=200 slowed=40

# At most 4 hours; goes on where it was broken off, also inside a training.
bench-compression: $(STAMP)
	@status=0; for name in compression distillation_margin latency_target; do \
		$(BIN)/python benchmarks/$$name.py || status=1; done; exit $$status

# A rival that cannot be installed here is told as unavailable in its column.
$(BENCH_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]' || \
		echo "the load generator could not be installed: its column will say unavailable" >&2
	touch $@

# Needs the pinned generator, in an environment of its own; commit what it writes.
protos:
	$(PYTHON) -m venv .venv-protos
	.venv-protos/bin/python -m pip install --quiet -r protos/generator-requirements.txt
	PATH="$(CURDIR)/.venv-protos/bin:$$PATH" .venv-protos/bin/python protos/generate.py

clean:
	rm -rf $(VENV) $(AGENT_VENV) $(TFLITE_VENV) .venv-protos demo-out
