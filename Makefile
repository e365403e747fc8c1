# The commands of the lab. `make repro` and `make test` need nothing but Python 3.11 or 3.12 and git.

VENV := .venv
STAMP := $(VENV)/.installed
# What `make demo` needs of it: the package without extras.
BASE_STAMP := $(VENV)/.installed-base
EXTRAS ?= cluster,lab,train,service,test
# Tests run side by side, a file in one process.
TEST_JOBS ?= 2
PYTEST := python -m pytest -n $(TEST_JOBS) --dist loadfile --no-loadscope-reorder
# Which tests of the service `make service-test` runs; `make test` has run those that are no faults.
SERVICE_TESTS ?= faults or not faults
# Where pip finds PyTorch if not in its usual index, for example an index of CPU-only builds.
TORCH_INDEX ?=
# The first interpreter that runs and is new enough.
FIND_PYTHON := for p in python3.11 python3.12 python3; do \
	$$p -c 'import sys, venv; sys.exit(not (3, 11, 5) <= sys.version_info < (3, 13))' 2>/dev/null && echo $$p && break; done
PYTHON ?= $(shell $(FIND_PYTHON))

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: repro demo test durations mutations service-test lab report bench lint
.DEFAULT_GOAL := repro

repro: $(STAMP)  ## make every result and every report
	dvc repro
	python -m avatarlab.lab.report

# What `make demo` is told of the person: PHOTO=me.jpg STATURE=178, and if you like SIDE=, WEIGHT=, SEX=, CLOTHES=.
DEMO = $(if $(PHOTO),"$(PHOTO)") $(if $(SIDE),--side "$(SIDE)") $(if $(STATURE),--stature-cm "$(STATURE)") \
	$(if $(WEIGHT),--weight-kg "$(WEIGHT)") $(if $(SEX),--sex "$(SEX)") $(if $(CLOTHES),--clothes "$(CLOTHES)")

demo: $(BASE_STAMP)  ## one photo to a measured avatar and a page about it in demo/: make demo PHOTO=me.jpg STATURE=178
	@python -m avatarlab.export.avatar $(DEMO)

test: $(STAMP)  ## prove it
	$(PYTEST)

durations: $(STAMP)  ## prove it and write down which tests took how long
	$(PYTEST) --durations-table tests/durations.csv

mutations: $(STAMP)  ## change a line of the library at a time and see a test turn red
	python tools/mutations.py

service-test: $(STAMP)  ## prove the avatar worker with real servers on loopback, killing and freezing them
	@command -v redis-server >/dev/null && command -v node >/dev/null && command -v npm >/dev/null || \
		{ test "$$(id -u)" = 0 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server nodejs npm; } || \
		{ echo "Install redis-server, node and npm first (Debian: redis-server nodejs npm)."; exit 1; }
	python tests/service/swift_server.py
	$(PYTEST) tests/service -m "$(SERVICE_TESTS)"

lab: $(STAMP)  ## JupyterLab on this machine
	python -m avatarlab.lab.start

report: $(STAMP)  ## a page with all reports; open the address it prints
	python -m avatarlab.lab.report

bench: $(STAMP)  ## time what has a budget, into reports/metrics/bench.json
	python bench/record.py

lint: $(STAMP)  ## style of code and notebooks
	ruff check lib tests bench tools notebooks
	ruff format --check lib tests bench tools
	python -m avatarlab.lab.notebook check

# Python files are compiled by all cores at the end, or when they are imported: pip takes a minute for it, with one core.
PIP_INSTALL := python -m pip install --quiet --no-compile -c constraints.txt

$(STAMP): $(BASE_STAMP)
	$(PIP_INSTALL) -e ".[$(EXTRAS)]"
	python -m compileall -qq -j 0 $(VENV)/lib || true  # templates and sources for other versions do not compile
	touch $@

# pip 25 works out what to install in half the time of the one that Python 3.11 brings.
$(BASE_STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.11.5 or newer, or 3.12, found; install one or say make PYTHON=/path/to/python"; exit 1; }
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --no-compile "pip>=25"
	$(PIP_INSTALL) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0
	$(PIP_INSTALL) -e .
	touch $@
