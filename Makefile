# Two commands do all the set-up: `make demo` and `make test`. `make help` lists the others.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DOCS   := $(VENV)-docs

.DEFAULT_GOAL := test
.PHONY: help demo test lint types imports format coverage licences docs clean bench bench-eval bench-scale bench-shards pages screenshots bench-pages matrix fidelity bench-fidelity test-engines test-store fuzz crash gates

# A target is listed with the comment behind its name.
help:
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

demo: $(VENV)/.demo ## a real local model and two simulated vendors, compared
	@$(BIN)/harness demo

# Two at once, each test file as a whole; what measures time runs alone.
test: lint types imports docs ## everything that must be green
	$(BIN)/pytest -m "not bench" --numprocesses 2 --dist loadfile
	$(BIN)/pytest -m bench

lint: $(VENV)/.test ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test ## mypy, strict
	$(BIN)/mypy

imports: $(VENV)/.test ## import contracts
	$(BIN)/lint-imports --no-logo

# Lines and branches that the tests reach, those that measure time left out, in child processes too: three quarters of an
# hour. LINES is the least share of lines, in per cent; COVERAGE="tests/test_doctor.py" measures some tests alone, and
# then LINES=0 is due.
LINES ?= 92
# What coverage itself disturbs: it writes to the disk that is full, and slows the client that has to be quick.
UNCOVERED := --deselect tests/test_bad_input.py::test_a_full_disk_loses_nothing \
	--deselect tests/test_load_honesty.py::test_a_stall_of_this_client_contaminates_what_it_sent_late
coverage: $(VENV)/.test ## lines and branches that the tests reach
	rm -f .coverage .coverage.*
	$(BIN)/pytest -m "not bench" --numprocesses 2 --dist loadfile --cov --cov-report= $(UNCOVERED) $(COVERAGE)
	$(BIN)/coverage report
	@mkdir -p build
	@$(BIN)/coverage json -q -o build/coverage.json
	@$(BIN)/python tests/covered.py build/coverage.json $(LINES)

licences: $(VENV)/.test ## what is installed, and under which licence; copyleft fails
	@$(BIN)/python tests/licences.py

# A link or an anchor that leads nowhere fails it, and so does a script, style or picture of another site. To read it:
# python3 -m http.server --directory build/site
docs: $(DOCS)/.docs ## the documentation as a site in build/site
	@$(DOCS)/bin/python tests/site_pages.py pages
	$(DOCS)/bin/zensical build --strict --clean
	@$(DOCS)/bin/python tests/site_pages.py foreign

format: $(VENV)/.test ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Ours beside its peers, on this machine: about an hour and a half; `make bench BENCH=--quick` shows that it runs.
bench: $(VENV)/.test ## load, ours beside its peers: an hour and a half
	$(BIN)/python tests/bench/run.py --markdown docs/benchmarks.md $(BENCH)

# Our evaluations beside four other tools and two bare loops: half an hour and more; BENCH=--quick shows that it runs.
bench-eval: $(VENV)/.test ## evaluations, ours beside its peers: half an hour
	$(BIN)/python tests/bench/evals.py --markdown docs/benchmarks-eval.md $(BENCH)

# The store with a million attempts in it: half an hour, 14 GB of disk; SCALE="--attempts 100000" takes a tenth of both.
bench-scale: $(VENV)/.test ## a million attempts in the store: half an hour
	$(BIN)/python tests/bench/scale.py $(SCALE)

# What dealing a load out costs; SHARDS=--ray: on a Ray cluster of two nodes on this machine, where Ray is installed.
bench-shards: $(VENV)/.test ## what dealing a load out costs
	$(BIN)/python tests/bench/shards.py $(SHARDS)

# The dashboard over a million attempts in 400 runs: ten minutes; PAGES="--runs 40" takes a tenth.
bench-pages: $(VENV)/.test ## the dashboard over a million attempts: ten minutes
	$(BIN)/python tests/bench/scale_pages.py $(PAGES)

# Real servers beside one another, probed on this machine: installs them outside this repository, about 5 GB.
matrix: $(VENV)/.test ## real servers, installed and probed
	$(BIN)/python tests/matrix/run.py --markdown docs/matrix.md $(MATRIX)

# Vendors that differ as is known, verified on this machine: half an hour and more; FIDELITY="--only identical" is one.
fidelity: $(VENV)/.test ## vendors that differ as is known, verified: half an hour and more
	$(BIN)/python tests/fidelity/run.py --markdown docs/fidelity.md $(FIDELITY)

# How often a verification of equal servers cries wolf, and what it finds, from the answers that `make fidelity` got.
bench-fidelity: $(VENV)/.test ## what a verification misses, and what it invents
	$(BIN)/python tests/bench/fidelity.py --write docs/fidelity.md

# Every engine that can be installed here, for real: installs them outside this repository, about 6 GB, then a quarter of
# an hour; TESTS="-k vllm" runs one.
test-engines: $(VENV)/.test ## every engine for real: 6 GB, a quarter of an hour
	HARNESS_ENGINES=install $(BIN)/pytest -m engine -rs tests/test_engine_real.py $(TESTS)

# A team's store in a real S3-compatible server: installs it and what the extra s3 brings outside this repository, 160 MB.
STORE_ENV ?= $(HOME)/.cache/endpoint-harness-s3
test-store: $(VENV)/.test ## a team's store in a real S3-compatible server: 160 MB
	@test -x $(STORE_ENV)/bin/moto_server || { $(PYTHON) -m venv $(STORE_ENV) && \
		$(STORE_ENV)/bin/python -m pip install --quiet --disable-pip-version-check \
			--constraint constraints.txt 's3fs>=2026.2' 'moto[s3]>=5.2' flask flask-cors; }
	HARNESS_S3_ENV=$(STORE_ENV) $(BIN)/pytest -rs tests/test_team_s3.py

# A search, led by coverage, for bytes that break a reader: SECONDS of each target. It needs a package of its own, which
# is put beside the corpus and not into the environment.
FUZZ    ?= /tmp/harness-fuzz
SECONDS ?= 60
fuzz: $(VENV)/.test ## search for bytes that break a reader
	@test -d $(FUZZ)/lib/atheris || $(BIN)/python -m pip install --quiet --no-deps --target $(FUZZ)/lib 'atheris>=3,<4'
	@for target in sse answer response line journal table providers; do echo "== $$target"; \
		PYTHONPATH=$(FUZZ)/lib:.:tests nice -n 19 $(BIN)/python -m fuzz.search $$target $(FUZZ)/$$target \
		-max_total_time=$(SECONDS) -timeout=10 -verbosity=0 -print_final_stats=1 -artifact_prefix=$(FUZZ)/$$target- || exit 1; done

# All 200 kills and every failing write, with their figures; `make test` has some of them.
crash: $(VENV)/.test ## all kills and failing writes
	HARNESS_CRASH=all $(BIN)/pytest -m crash -rP tests/test_crash.py

# Equal simulated servers pass the gate 20 of 20 times, and each regression fails; `make test` has some of it.
gates: $(VENV)/.test ## the gate held against simulated servers
	HARNESS_GATES=all $(BIN)/pytest tests/test_gate_simulated.py

# What in docs/ is made of the code: tasks, probes, providers, faults, command line, exit codes, schema, decisions.
pages: $(VENV)/.test ## write what in docs/ is made of the code
	$(BIN)/python tests/pages.py

# Every page of the dashboard as a picture, light and dark, from the demo's data, into results/screenshots; the small ones
# in docs/images too. SCREENSHOTS="--results FOLDER" takes results that are there.
screenshots: $(VENV)/.test ## every page of the dashboard as a picture
	$(BIN)/python tests/screenshots.py $(SCREENSHOTS)

clean: ## take away environments, builds and caches
	rm -rf $(VENV) $(DOCS) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

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

$(DOCS)/.docs: pyproject.toml constraints.txt
	@test -x $(DOCS)/bin/python || $(PYTHON) -m venv $(DOCS)
	@echo "Installing the site's packages into $(DOCS)"
	@$(DOCS)/bin/python -c 'import tomllib; print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["docs"]))' >$(DOCS)/wanted.txt
	@$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --retries 2 --timeout 15 \
		--constraint constraints.txt --requirement $(DOCS)/wanted.txt >$(DOCS)/install.log 2>&1 || \
		{ echo "make: packages could not be installed (pip's words: $(DOCS)/install.log)"; exit 1; }
	@touch $@

$(VENV)/.demo: pyproject.toml constraints.txt
	$(call install,local)
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt
	$(call install,local$(comma)scorers$(comma)google$(comma)azure$(comma)aws$(comma)otel$(comma)postgres$(comma)dev)
	@touch $@ $(VENV)/.demo

comma := ,
