# Developers' tasks; users need ./demo and ./test only.
.PHONY: check unit lab lock rewrite bench clean
BIN := .venv/bin

check:            ## linters, types, layers
	scripts/prepare dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports --no-cache

unit:             ## everything that needs no machine
	./test quick

lab:              ## the tests on real machines only
	$(BIN)/python -m pytest -ra -q -m lab

rewrite:          ## rewrite golden files, scenarios and generated pages; review the difference
	REWRITE=1 $(BIN)/python -m pytest -q -m "not lab and not netns" || true
	git diff --stat

lock:             ## pin the libraries anew, with hashes (needs uv)
	printf 'setuptools>=77\n' >build-requirements.tmp
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links pyproject.toml build-requirements.tmp -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --extra dev pyproject.toml build-requirements.tmp -o requirements-dev.lock
	rm -f build-requirements.tmp

bench:            ## side by side with the others; three quarters of an hour
	bench/balancer
	$(BIN)/python -m bench.apply
	$(BIN)/python -m bench.heartbeat
	$(BIN)/python -m bench.failover
	$(BIN)/python -m bench.storage
	$(BIN)/python -m bench.drill
	$(BIN)/python -m bench.check

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
