# Most people only need `make run` and `make test`.
# Each installs its requirements once; `make run ARGS="device:0 clip.mp4"` passes arguments on.

VENV := .venv
PY := $(VENV)/bin/python
ARGS ?=
MINUTES ?= 10
.DEFAULT_GOAL := run
.PHONY: run test check format bench soak screens vendor clean

run: $(VENV)/.runtime
	@exec $(PY) manage.py run $(ARGS)

# `make test ARGS="-k credit"` passes arguments on to pytest.
test: $(VENV)/.development
	@$(PY) -m $(if $(ARGS),pytest $(ARGS),tests)

# Two mypy workers take half the time of one. If they do not start within three seconds, mypy fails
# with a code other than 1, its code for type errors: then run it again with a single process.
check: $(VENV)/.development
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy --num-workers 2 || { [ $$? != 1 ] && $(VENV)/bin/mypy; }

format: $(VENV)/.development
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

bench: $(VENV)/.development
	@$(PY) -m bench $(ARGS)

# Runs viewers, cameras and faults for a while, and checks for leaks: `make soak MINUTES=10`.
soak: $(VENV)/.development
	@$(PY) -m bench.soak --minutes $(MINUTES) $(ARGS)

# Takes screenshots of every state of the page for review: phone, laptop and wall, light and dark.
screens: $(VENV)/.development
	@$(PY) -m tests.screens $(ARGS)

# Downloads the front end's libraries again and shows whether they match the checked-in files.
vendor:
	sh static/vendor/fetch.sh

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis

$(VENV)/.runtime: requirements.txt deploy/prepare.sh
	@sh deploy/prepare.sh runtime

$(VENV)/.development: requirements.txt requirements-dev.txt deploy/prepare.sh
	@sh deploy/prepare.sh development
