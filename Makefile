.DEFAULT_GOAL := help
.PHONY: help style quality test test-all cover minimum-versions sample docs

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

style: ## Format the code and sort its imports
	ruff check --fix .
	ruff format .

quality: ## Check lint, formatting and types, changing nothing
	ruff check .
	ruff format --check .
	mypy

test: ## Run the tests
	pytest

test-all: ## Run the tests, the slow ones too
	pytest -m ""

cover: ## Run the tests and report which lines they run
	pytest --cov --cov-report=term:skip-covered

minimum-versions: ## Print the lowest versions that setup.cfg allows, as a constraints file
	@sed -nE 's/^ +([A-Za-z0-9_-]+)>=([0-9.]+).*/\1==\2/p' setup.cfg | sort -u

sample: ## Train A-MESS on the embedded sample
	accelerate launch training/train.py

docs: ## Build the documentation site in docs/_build/html; a warning is an error
	python -m sphinx -E -W --keep-going -b html docs docs/_build/html
