# make demo    a simulated scan, a network that reads it, a volume made of its map (without a screen: pictures in demo_output/)
# make test    everything that must hold: style, types, structure, manifest, tests
# make slow    the long physics
# make docs    the pictures of the documentation
#
# Each of them sets up what it needs: a virtual environment in .venv and the system libraries.
# PYTHON=python3.12     another interpreter
# PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"     torch without CUDA

PYTHON ?= python3
PIP_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
SCREEN := xvfb-run -a -s "-screen 0 1600x1000x24 +extension GLX"

.PHONY: demo test test-library test-window test-pyqt6 slow lint docs constraints clean

demo: $(VENV)/installed
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then \
	  resources/system_libraries.sh && $(BIN)/napari-orient demo; \
	else \
	  resources/system_libraries.sh screen && \
	  $(SCREEN) $(BIN)/napari-orient demo --screenshots demo_output; \
	fi

test: lint
	resources/system_libraries.sh screen
	$(MAKE) -j2 --output-sync=target test-window-i-z test-library test-window-a-h
	$(MAKE) test-pyqt6

# two at a time: more threads of torch would wait for each other, and processes that compile must
# not write one cache
test-library: $(VENV)/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --ignore tests/plugin

test-window: test-window-a-h test-window-i-z

test-window-%: $(VENV)/installed
	OMP_NUM_THREADS=1 NUMBA_CACHE_DIR=$$(mktemp -d) $(SCREEN) $(BIN)/python -m pytest tests/plugin/test_[$*]*.py

test-pyqt6: $(VENV)/installed
	resources/system_libraries.sh screen
	QT_API=pyqt6 PYTEST_QT_API=pyqt6 $(SCREEN) $(BIN)/python -m pytest tests/plugin/test_smoke.py

slow: $(VENV)/installed
	resources/system_libraries.sh screen
	$(SCREEN) $(BIN)/python -m pytest -m slow

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/npe2 validate --imports napari-orient

docs: $(VENV)/installed
	resources/system_libraries.sh screen
	$(SCREEN) $(BIN)/python docs/screenshots.py

$(VENV)/installed: pyproject.toml resources/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { echo "Python's venv is missing. Type: sudo apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/pip install --quiet $(PIP_ARGS) -c resources/constraints.txt -e ".[pyqt5,pyqt6,cluster]" --group dev
	@touch $@

# after a change of dependencies: solve anew in a fresh environment and pin what came out
constraints:
	rm -rf .venv-new && $(PYTHON) -m venv .venv-new
	.venv-new/bin/pip install --quiet --upgrade "pip>=25.1"
	.venv-new/bin/pip install --quiet $(PIP_ARGS) "torch==2.13.0" -e ".[pyqt5,pyqt6,cluster]" --group dev
	.venv-new/bin/pip freeze --exclude-editable | sed 's/+cpu$$//; / @ /d' > resources/constraints.txt
	rm -rf .venv-new

clean:
	rm -rf $(VENV) .venv-new demo_output dist build
