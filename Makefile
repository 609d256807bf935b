# Everything runs in .venv, which the first target that needs it makes.
PYTHON ?= python3
BIN := .venv/bin
NOTEBOOKS := $(wildcard notebooks/*.ipynb notebooks/reports/*.ipynb)
# executed notebooks hold figures as data, not as a copy of plotly.js, and leave the user's own history alone
NOTEBOOK_ENV = PLOTLY_RENDERER=plotly_mimetype TPUKIT_HOME=$$(mktemp -d)

.PHONY: setup report test lab notebooks check-notebooks bench clean

setup: .venv/.with-tests

report: .venv/.with-core
	$(BIN)/tpukit report

test: .venv/.with-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --cov
	$(MAKE) check-notebooks

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
	rm -rf .venv build dist report .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage
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
