.PHONY: install format lint test demo space

install:
	pip install -r requirements-dev.txt

format:
	ruff format .
	ruff check --fix .

lint:
	ruff format --check .
	ruff check .

test:
	python -m pytest

demo:
	python app.py

space:
	python -m playground.space $(REPO) --for $(or $(FOR),cpu)
