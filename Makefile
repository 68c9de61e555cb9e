# SPDX-License-Identifier: Apache-2.0
# make demo   builds, C-simulates and pictures the shipped example
# make test   runs every test and the linters
# make bench  measures by RTL simulation what has changed and writes bench/results.md (long);
#             synthesises units for bench/units.md
.PHONY: demo test test-driver bench install lint clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BOARD_VENV := .venv-board
# BLAS threads fight with parallel test workers.
export OMP_NUM_THREADS ?= 1

demo: $(VENV)/.installed
	$(BIN)/hwgen demo -o demo

test: $(VENV)/.installed-test lint
	$(BIN)/pytest -n 2 --dist worksteal --durations=15
	$(MAKE) test-driver

# The driver runs where a board would run it: with pynq and the driver's wheel, without the generator.
test-driver: $(VENV)/.installed-test $(BOARD_VENV)/.installed
	$(BIN)/python -m tests.driver.prepare build/driver
	$(BOARD_VENV)/bin/pip install --quiet --no-index --no-deps --force-reinstall build/driver/wheel/*.whl
	HWGEN_DRIVER_TESTS=$(CURDIR)/build/driver $(BOARD_VENV)/bin/pytest -n 2 --dist worksteal \
		--durations=15 --confcutdir tests/driver tests/driver

bench: $(VENV)/.installed-test
	$(BIN)/python -m bench
	$(BIN)/python -m bench.units

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
# hls4ml carries the ap_int headers; none of its Python code or dependencies are used.
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps hls4ml
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[rtl,test,train,zoo]'
	touch $@

$(BOARD_VENV)/.installed: boards/requirements.txt tests/driver-requirements.txt
	$(PYTHON) -m venv $(BOARD_VENV)
	$(BOARD_VENV)/bin/pip install --quiet -r boards/requirements.txt -r tests/driver-requirements.txt
	touch $@

clean:
	rm -rf $(VENV) $(BOARD_VENV) demo build
