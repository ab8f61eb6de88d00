# make setup   everything that the build needs, inside this folder
# make demo    the whole way on real photographs; DATA=DIR takes your own
# make test    every test
# CONTRIBUTING.md tells the rest.
GO ?= go
DATA ?=

LIB := $(CURDIR)/build/libtensorflow
# Shared libraries are found beside the binary's own folder, wherever this folder is moved to.
export CGO_CFLAGS := -I$(LIB)/include
export CGO_LDFLAGS := -L$(LIB)/lib -ltensorflow_framework
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION)

.PHONY: setup build test lint demo clean
.DEFAULT_GOAL := build

setup: build

build: libtensorflow
	@$(GO) build -ldflags '$(LDFLAGS) -r $$ORIGIN/../build/libtensorflow/lib' -o bin/tftl ./cmd/tftl

.PHONY: libtensorflow
libtensorflow:
	@scripts/setup.sh

clean:
	rm -rf bin build
