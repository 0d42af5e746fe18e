# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := test
.PHONY: demo test lint types imports format clean bench bench-eval bench-scale bench-shards pages screenshots bench-pages matrix test-engines test-store fuzz crash gates

demo: $(VENV)/.demo
	@$(BIN)/harness demo

# Two at once, each test file as a whole; what measures time runs alone.
test: lint types imports
	$(BIN)/pytest -m "not bench" --numprocesses 2 --dist loadfile
	$(BIN)/pytest -m bench

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

imports: $(VENV)/.test
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Ours beside its peers, on this machine: about an hour and a half; `make bench BENCH=--quick` shows that it runs.
bench: $(VENV)/.test
	$(BIN)/python tests/bench/run.py --markdown docs/benchmarks.md $(BENCH)

# Our evaluations beside four other tools and two bare loops: half an hour and more; BENCH=--quick shows that it runs.
bench-eval: $(VENV)/.test
	$(BIN)/python tests/bench/evals.py --markdown docs/benchmarks-eval.md $(BENCH)

# The store with a million attempts in it: half an hour, 14 GB of disk; SCALE="--attempts 100000" takes a tenth of both.
bench-scale: $(VENV)/.test
	$(BIN)/python tests/bench/scale.py $(SCALE)

# What dealing a load out costs; SHARDS=--ray: on a Ray cluster of two nodes on this machine, where Ray is installed.
bench-shards: $(VENV)/.test
	$(BIN)/python tests/bench/shards.py $(SHARDS)

# The dashboard over a million attempts in 400 runs: ten minutes; PAGES="--runs 40" takes a tenth.
bench-pages: $(VENV)/.test
	$(BIN)/python tests/bench/scale_pages.py $(PAGES)

# Real servers beside one another, probed on this machine: installs them outside this repository, about 5 GB.
matrix: $(VENV)/.test
	$(BIN)/python tests/matrix/run.py --markdown docs/matrix.md $(MATRIX)

# Every engine that can be installed here, for real: installs them outside this repository, about 6 GB, then a quarter of
# an hour; TESTS="-k vllm" runs one.
test-engines: $(VENV)/.test
	HARNESS_ENGINES=install $(BIN)/pytest -m engine -rs tests/test_engine_real.py $(TESTS)

# A team's store in a real S3-compatible server: installs it and the extra s3 into an environment of their own outside
# this repository, about 400 MB.
STORE_ENV ?= $(HOME)/.cache/endpoint-harness-s3
test-store: $(VENV)/.test
	@test -x $(STORE_ENV)/bin/moto_server || { $(PYTHON) -m venv $(STORE_ENV) && \
		$(STORE_ENV)/bin/python -m pip install --quiet --disable-pip-version-check \
			--constraint constraints.txt '.[s3]' 'moto[s3]>=5.2' flask flask-cors; }
	HARNESS_S3_ENV=$(STORE_ENV) $(BIN)/pytest -rs tests/test_team_s3.py

# A search, led by coverage, for bytes that break a reader: SECONDS of each target. It needs a package of its own, which
# is put beside the corpus and not into the environment.
FUZZ    ?= /tmp/harness-fuzz
SECONDS ?= 60
fuzz: $(VENV)/.test
	@test -d $(FUZZ)/lib/atheris || $(BIN)/python -m pip install --quiet --no-deps --target $(FUZZ)/lib 'atheris>=3,<4'
	@for target in sse answer response line journal table providers; do echo "== $$target"; \
		PYTHONPATH=$(FUZZ)/lib:.:tests nice -n 19 $(BIN)/python -m fuzz.search $$target $(FUZZ)/$$target \
		-max_total_time=$(SECONDS) -timeout=10 -verbosity=0 -print_final_stats=1 -artifact_prefix=$(FUZZ)/$$target- || exit 1; done

# All 200 kills and every failing write, with their figures; `make test` has some of them.
crash: $(VENV)/.test
	HARNESS_CRASH=all $(BIN)/pytest -m crash -rP tests/test_crash.py

# Equal simulated servers pass the gate 20 of 20 times, and each regression fails; `make test` has some of it.
gates: $(VENV)/.test
	HARNESS_GATES=all $(BIN)/pytest tests/test_gate_simulated.py

# The tables in docs/ that are made of the code: tasks, probes, faults.
pages: $(VENV)/.test
	$(BIN)/python tests/pages.py

# Every page of the dashboard as a picture, light and dark, from the demo's data, into results/screenshots; the small ones
# in docs/images too. SCREENSHOTS="--results FOLDER" takes results that are there.
screenshots: $(VENV)/.test
	$(BIN)/python tests/screenshots.py $(SCREENSHOTS)

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Exact versions come from constraints.txt; where they come from is pip's configuration on the machine.
define install
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "make: Python 3.11 or newer is needed, and $(PYTHON) is older. Name one with: make PYTHON=python3.12"; exit 1; }
@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	{ echo "make: $(PYTHON) cannot make a virtual environment. On Debian: apt-get install python3-venv"; exit 1; }
@echo "Installing the pinned packages into $(VENV) (a minute or two the first time)"
@$(BIN)/python -m pip install --quiet --disable-pip-version-check --retries 2 --timeout 15 \
	--constraint constraints.txt --editable '.[$(1)]' >$(VENV)/install.log 2>&1 || \
	{ echo "make: packages could not be installed (pip's words: $(VENV)/install.log). Is a package registry reachable?"; exit 1; }
endef

$(VENV)/.demo: pyproject.toml constraints.txt
	$(call install,local)
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt
	$(call install,local$(comma)scorers$(comma)google$(comma)azure$(comma)aws$(comma)otel$(comma)postgres$(comma)dev)
	@touch $@ $(VENV)/.demo

comma := ,
