# make          this list
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Every test that starts the program would else compile all of it.
unexport PYTHONDONTWRITEBYTECODE
CHECKED := reconciler tests benchmarks

.DEFAULT_GOAL := help
.PHONY: again boundaries histories kills lost-replies soak planted reliability try-unit help demo demo-live test lint bench bench-quick config picture lock

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## /make \1\t/' | expand -t 18

demo: $(VENV)/installed ## the whole story on this machine, no account needed
	@$(BIN)/reconciler demo

demo-live: $(VENV)/installed ## the same to be played by hand, in a browser
	@$(BIN)/reconciler demo --live

test: $(VENV)/installed ## all tests (databases on loopback are used where there are some)
	@$(BIN)/python -m pytest -q -n auto --dist loadfile $(TESTS)

lint: $(VENV)/installed ## style, types and import directions
	@$(BIN)/ruff check --quiet $(CHECKED)
	@$(BIN)/ruff format --quiet --check $(CHECKED)
	@$(BIN)/mypy
	@$(BIN)/lint-imports --config setup.cfg --no-logo

bench: $(VENV)/installed ## what it costs, measured here: build/bench.json and docs/benchmarks.md
	@$(BIN)/python -m benchmarks --page docs/benchmarks.md

bench-quick: $(VENV)/installed ## a tenth of it
	@$(BIN)/python -m benchmarks --quick

# VENDOR=caldav: with that vendor alone; simulated servers with oddities, but a real one for kills
boundaries: $(VENV)/installed ## something happens at every boundary of every small story; STRIDE=10 for a tenth, FIRST=n to go on
	@$(BIN)/python -m tests.harness boundaries --stride $(or $(STRIDE),1) --first $(or $(FIRST),0) --vendor "$(VENDOR)"

histories: $(VENV)/installed ## N random histories (20000), from seed FIRST
	@$(BIN)/python -m tests.harness histories $(or $(N),20000) --first $(or $(FIRST),0) --vendor "$(VENDOR)"

kills: $(VENV)/installed ## N real kills of the program (500), from seed FIRST
	@$(BIN)/python -m tests.harness kills $(or $(N),500) --first $(or $(FIRST),0) --vendor "$(VENDOR)"

lost-replies: $(VENV)/installed ## N lost replies at each vendor (10000)
	@$(BIN)/python -m tests.harness lost-replies $(or $(N),10000) --vendor "$(VENDOR)"

soak: $(VENV)/installed ## N simulated years (4): memory and state file stay as they are
	@$(BIN)/python -m tests.harness soak $(or $(N),4)

again: $(VENV)/installed ## what went wrong in the runs above, played again on the code as it is
	@$(BIN)/python -m tests.harness again

planted: $(VENV)/installed ## every planted bug must be caught; ONLY=word for some
	@$(BIN)/python -m tests.planted --jobs $(or $(JOBS),2) --only "$(ONLY)"

reliability: $(VENV)/installed ## docs/reliability.md, from what the runs above have left in reports/
	@$(BIN)/python -m tests.harness.page docs/reliability.md

try-unit: $(VENV)/installed ## the service under a real systemd, in a Debian that boots for it; as root
	@unshare --mount $(BIN)/python -m tests.booted

config: $(VENV)/installed ## config/reconciler.example.yaml and its JSON Schema, from the settings' descriptions
	@$(BIN)/python -m reconciler.settings.example config

picture: $(VENV)/installed ## docs/images, from what the demos and a faulty hour show
	@$(BIN)/reconciler demo --fast --now 2026-11-23T09:00:00Z --picture docs/images/demo.svg >/dev/null
	@$(BIN)/python -m tests.support.live_picture docs/images/live.png
	@$(BIN)/python -m tests.monitoring docs/images/dashboard.svg docs/images/status.png

# Keeps what is pinned; LOCK=--upgrade takes the newest of everything.
lock: $(VENV)/installed ## requirements*.lock, from setup.cfg
	@echo "resolving setup.cfg"
	@$(BIN)/uv pip compile $(LOCKED) --extra dev --output-file requirements-dev.lock setup.cfg
	@$(BIN)/uv pip compile $(LOCKED) --constraints requirements-dev.lock --output-file requirements.lock setup.cfg

LOCKED = --quiet --universal --generate-hashes --no-annotate --python-version 3.11 \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(LOCK)

$(VENV)/installed: requirements-dev.lock setup.cfg
	@echo "installing into $(VENV), as requirements-dev.lock says"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
