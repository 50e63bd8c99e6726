# `make demo` and `make test` set up everything they need on a machine that has Python 3.11, git and make.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
SOURCES := pyproject.toml $(shell find latentspeed_cli plugins -name '*.py' -o -name 'py.typed')
CHECKED := latentspeed_cli plugins/hyperliquid/latentspeed_hyperliquid plugins/dydx_v4/latentspeed_dydx_v4 tests benchmarks
# Tests and the demo run against the installed wheel, with a state of their own.
RUN := env -u PYTHONPATH PYTHONSAFEPATH=1

.PHONY: demo test check lint types unit simulation simulate mutants oracle bench bench-streams soak docs lock clean
.DELETE_ON_ERROR:

demo: .venv/wheel
	@$(RUN) LATENTSPEED_STATE_DIR=.venv/demo $(BIN)/latentspeed demo --output table

# Exactly what CI runs.
test: lint types unit simulation oracle
check: test

lint: .venv/deps
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/deps
	$(BIN)/mypy $(CHECKED)

unit: .venv/wheel
	$(RUN) $(BIN)/pytest -m "not oracle and not mutants" -n 4 --dist loadfile --cov=latentspeed_cli.core.order_state --cov-branch --cov-fail-under=100

# docs/simulator.md. One seed is one simulated world; `make simulate SEEDS=0..20000 VENUE=dydx_v4` plays many.
SEEDS ?= 0..2000
VENUE ?= hyperliquid
SIMULATOR := $(RUN) $(BIN)/python -m latentspeed_cli.testing.simulator

simulation: .venv/wheel
	$(SIMULATOR) --venue hyperliquid --seeds 0..2000
	$(SIMULATOR) --venue dydx_v4 --seeds 0..2000

simulate: .venv/wheel
	$(SIMULATOR) --venue $(VENUE) --seeds $(SEEDS) --ledger .venv/simulations.ndjson

# Deliberate bugs, each of which the simulator has to catch: docs/reliability.md. `unit` plays most of them.
mutants: .venv/wheel
	$(RUN) $(BIN)/pytest tests/simulation/test_mutants.py -n 4

oracle: .venv/wheel .venv-peers/deps .venv-peers-dydx/deps
	$(RUN) $(BIN)/pytest -m oracle

bench: .venv/wheel .venv-peers/deps .venv-peers-plain/deps .venv-peers-dydx/deps
	$(RUN) PYTHONPATH=benchmarks $(BIN)/python benchmarks/run.py

# docs/performance.md, "Streams and reads". Of 10 million messages it takes a quarter of an hour; MESSAGES=1000000 is a trial.
MESSAGES ?= 10000000

bench-streams: .venv/wheel .venv-peers/deps
	$(RUN) PYTHONPATH=benchmarks $(BIN)/python benchmarks/streams.py --messages $(MESSAGES)

# docs/performance.md, the soak. `make soak DURATION=1h VENUE=dydx_v4`; DURATION=5m is a trial.
DURATION ?= 1h

soak: .venv/wheel
	$(RUN) PYTHONPATH=benchmarks $(BIN)/python benchmarks/soak.py --venue $(VENUE) --duration $(DURATION)

# Pages that are generated from the code; tests compare them with it.
docs: .venv/wheel
	$(RUN) $(BIN)/python -c "from latentspeed_cli.core.state_table import document; print(document(), end='')" > docs/order-states.md
	$(RUN) $(BIN)/latentspeed docs exit-codes > docs/exit-codes.md
	$(RUN) $(BIN)/python -c "from latentspeed_cli.testing.conformance.page import page; print(page(), end='')" > docs/conformance.md
	PYTHONPATH=. $(BIN)/python -m tests.simulation.page docs/reliability.md

lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet uv
	for name in dev peers peers-plain peers-dydx; do \
	  test $$name = dev && project=pyproject.toml || project=; \
	  .venv-lock/bin/uv pip compile $$project requirements/$$name.in --universal --python-version 3.11 --upgrade --no-strip-extras \
	    --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet \
	    --output-file requirements/$$name.lock || exit 1; \
	done

clean:
	rm -rf .venv .venv-peers .venv-peers-plain .venv-peers-dydx .venv-lock dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/deps: requirements/dev.lock
	@echo "Installing what $< names into .venv; this takes a minute or two, once."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	touch $@

.venv/wheel: .venv/deps $(SOURCES) README.md LICENSE
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	$(BIN)/python -m pip install --quiet --force-reinstall --no-deps dist/latentspeed-*.whl
	touch $@

.venv-peers/deps .venv-peers-plain/deps .venv-peers-dydx/deps: .venv-%/deps: requirements/%.lock
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/$*.lock
	touch $@
