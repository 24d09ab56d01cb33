# The two commands of the README are `go run ./cmd/camcensus demo` and
# `make test`; `make help` lists the rest.

SHELL   := /bin/bash
export PATH := $(PATH):/usr/sbin:/sbin
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
# Everything but the race tests is compiled alike, and so once.
PLAIN   := CGO_ENABLED=0 GOFLAGS="$$($(GO) env GOFLAGS) -trimpath"
BUILD   := $(PLAIN) $(GO) build -ldflags '$(LDFLAGS)'
CROSS   := linux/amd64 linux/arm64 linux/arm darwin/arm64 windows/amd64
FUZZTIME ?= 5000x

.PHONY: help build cross test packages format vet static race outside fuzz kill clock big bench demo generate clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

build: ## one static binary in bin/
	$(BUILD) -o bin/camcensus ./cmd/camcensus

demo: ## the simulated site on loopback
	$(GO) run ./cmd/camcensus demo

cross: ## every supported system, in dist/
	@for t in $(CROSS); do \
	  out=dist/camcensus-$${t/\//-}; [[ $$t != windows/* ]] || out+=.exe; echo "build $$t"; \
	  GOOS=$${t%/*} GOARCH=$${t#*/} $(BUILD) -o $$out ./cmd/camcensus || exit 1; \
	done
	@.ci/static dist/camcensus-linux-amd64

test: ## everything; installs what the tests need
	@.ci/stages packages format vet static race outside fuzz cross

packages: ## the Debian packages that the tests need
	@.ci/install

format:
	@out=$$(gofmt -l .); [ -z "$$out" ] || { echo "gofmt -w: $$out"; exit 1; }
	@out=$$($(GO) mod tidy -diff) || { echo "$$out"; echo "go.mod is not tidy: run go mod tidy"; exit 1; }

vet:
	$(PLAIN) $(GO) vet ./...
	$(PLAIN) $(GO) vet -tags clock ./cmd/camcensus

static:
	$(PLAIN) $(GO) tool staticcheck ./...

# Of the tests from outside, those that keep many of the program's goroutines
# busy run on a program that detects races; all run on the static one.
BUSY := Killed|Pause|ThreeHundred|IdentifyOfTheRecorded

race: ## unit, namespace, deployment and browser tests, with the race detector
	CGO_ENABLED=1 $(GO) test -race -count=1 -p 3 -timeout 15m $$($(GO) list ./... | grep -v /cmd/camcensus$$)
	CGO_ENABLED=1 $(GO) build -race -o bin/camcensus-race ./cmd/camcensus
	CGO_ENABLED=1 CAMCENSUS_BINARY=$(CURDIR)/bin/camcensus-race $(GO) test -race -count=1 -timeout 10m -run '$(BUSY)' ./cmd/camcensus

outside: build ## the static binary, from outside
	$(PLAIN) .ci/outside bin/camcensus

fuzz: ## every fuzz target, $(FUZZTIME) inputs
	@.ci/fuzz $(FUZZTIME)

kill: ## the inventory under load, killed 500 times (make test: 24 times)
	CAMCENSUS_KILLS=500 $(GO) test -count=1 -timeout 20m -run TestKilledAtAnyMoment -v ./internal/inventory

clock: ## a day of cycles, and clocks set forward and back (takes half an hour)
	@.ci/clock

big: ## an agent with 10,000 and 100,000 devices: ready, memory, pages and lists
	@.ci/big

bench: ## beside the peers, in one run
	@.ci/bench

generate: ## refresh the embedded IEEE registry (reaches the npm registry)
	$(GO) generate ./fingerprint/oui

clean:
	rm -rf bin dist
