# make reproduce: retrain every paper at scale quick and draw its tables, figures and report
# make test:      the tests          make lint: ruff and mypy
# make test-slurm: the workflow on a SLURM cluster of this one machine, which it installs where it may (Debian, Ubuntu; root)
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: reproduce test test-slurm lint

reproduce: $(INSTALLED)
	$(BIN)/snakemake all

test: $(INSTALLED)
	$(BIN)/python -m pytest -n auto --dist worksteal

test-slurm: $(INSTALLED)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,slurm]'
	@command -v sbatch >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq slurm-wlm munge; } >/dev/null 2>&1 || true
	$(BIN)/python -m pytest -m slurm -rsP tests/test_slurm.py

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(INSTALLED): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || \
		{ echo "error: $(PYTHON) is not installed; needs Python 3.11, 3.12 or 3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info[:2] <= (3, 13); \
		ok or sys.exit("error: $(PYTHON) is Python %d.%d; needs 3.11, 3.12 or 3.13 (make PYTHON=python3.12 …)" % sys.version_info[:2])'
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,language]'
	touch $@
