# The first two are all one needs: `make run` and `make test`.
# Each sets up what it needs, once; `make run ARGS="device:0 clip.mp4"` passes arguments on.

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

# Two processes of mypy take half of the time of one. It gives up, with another code than for what it
# finds, if they have not started within three seconds: then one does it.
check: $(VENV)/.development
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy --num-workers 2 || { [ $$? != 1 ] && $(VENV)/bin/mypy; }

format: $(VENV)/.development
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

bench: $(VENV)/.development
	@$(PY) -m bench $(ARGS)

# Viewers, cameras and faults churn together: does anything grow? `make soak MINUTES=10`.
soak: $(VENV)/.development
	@$(PY) -m bench.soak --minutes $(MINUTES) $(ARGS)

# Pictures of every state of the page, to be looked at: phone, laptop and wall, light and dark.
screens: $(VENV)/.development
	@$(PY) -m tests.screens $(ARGS)

# Fetches the front end's libraries anew and shows whether they are still what is checked in.
vendor:
	sh static/vendor/fetch.sh

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis

$(VENV)/.runtime: requirements.txt deploy/prepare.sh
	@sh deploy/prepare.sh runtime

$(VENV)/.development: requirements.txt requirements-dev.txt deploy/prepare.sh
	@sh deploy/prepare.sh development
