# Everything runs in .venv, which the first target that needs it makes; what needs tflite-runtime, in .venv-tflite.
PYTHON ?= python3
BIN := .venv/bin
# Google's tflite-runtime ends at Python 3.11; a name on the path may be pyenv's, and start nothing
PYTHON311 ?= $(shell for python in python3.11 $(PYTHON) "$$HOME"/.pyenv/versions/3.11.*/bin/python; do \
  "$$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && echo "$$python" && break; done)
TFLITE_BIN := .venv-tflite/bin
TFLITE_TESTS := tests/inference tests/history/test_history_export.py tests/test_cli.py tests/test_environment.py
NOTEBOOKS := $(wildcard notebooks/*.ipynb notebooks/reports/*.ipynb)
# executed notebooks hold figures as data, not as a copy of plotly.js, and leave the user's own history alone
NOTEBOOK_ENV = PLOTLY_RENDERER=plotly_mimetype TPUKIT_HOME=$$(mktemp -d)

.PHONY: setup report test test-tflite has-python311 lab notebooks check-notebooks bench clean

setup: .venv/.with-tests

report: .venv/.with-core
	$(BIN)/tpukit report

test: .venv/.with-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --cov
	$(MAKE) check-notebooks

# in the environment of environment.yml: what needs tflite-runtime, and what must hold with NumPy 1 as well
test-tflite: .venv-tflite/.with-tests
	$(TFLITE_BIN)/pytest -m 'not browser' $(TFLITE_TESTS)

has-python311:
	@test -n "$(PYTHON311)" || { echo "tflite-runtime needs Python 3.11, which is not here: install it, or name it by \
	make test-tflite PYTHON311=/path/to/python3.11" >&2; exit 1; }

lab: .venv/.with-tests
	$(BIN)/tpukit lab

# execute the committed notebooks again, in place
notebooks: .venv/.with-tests
	$(NOTEBOOK_ENV) $(BIN)/jupyter nbconvert --to notebook --execute --inplace --log-level WARN \
	  --ExecutePreprocessor.store_widget_state=False --ExecutePreprocessor.record_timing=False $(NOTEBOOKS)

# hold the committed outputs against a fresh execution
check-notebooks: .venv/.with-tests
	$(NOTEBOOK_ENV) $(BIN)/pytest -p no:cacheprovider --nbval --nbval-current-env $(NOTEBOOKS)

bench: .venv/.with-tests
	$(BIN)/pip install --quiet -e '.[peers]'
	$(BIN)/tpukit suite

clean:
	rm -rf .venv .venv-tflite build dist report .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.with-core: pyproject.toml
	@echo "Installing tpukit into .venv; a minute or two the first time"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -e .
	@touch $@

.venv/.with-tests: pyproject.toml
	@echo "Installing tpukit with JupyterLab, LoadGen, JAX and the tests' tools into .venv; a few minutes the first time"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -e '.[jax,lab,loadgen,test]'
	@touch .venv/.with-core $@

.venv-tflite/.with-tests: pyproject.toml | has-python311
	@echo "Installing tpukit with tflite-runtime and NumPy 1 into .venv-tflite; a few minutes the first time"
	$(PYTHON311) -m venv .venv-tflite
	$(TFLITE_BIN)/pip install --quiet -e '.[lab,loadgen,tflite,test]'
	@touch $@
