# The two commands are `make demo` and `make test`; each does all of its own set-up and says what it does.
# Both work again without network once set up. Everything set up lies in .setup/ and build*/ (and Debian packages).

SETUP  := tools/setup.sh
BINARY := build/pythia

.PHONY: all build demo test test-clients test-official test-container test-documents test-page test-arm asan tsan valgrind fuzz fmt fmt-check tidy clean packages help

all: build

help:
	@printf '%s\n' \
	  'make demo      set up, build, index real sources with the real model, show three searches' \
	  'make test      set up, build, run every test' \
	  'make test-clients  the server, driven by its own clients (Go, Python, TypeScript) and by those that others wrote' \
  'make test-official  those that others wrote: MCP SDKs, the MCP conformance suite, openai, schemathesis' \
  'make test-container  the container image: built by buildah, run by podman (root)' \
  'make test-page  the page for people, in a real browser (Chromium)' \
  'make test-arm  build for 64-bit ARM, run the tests under qemu at each level of kernels' \
  'make           build build/pythia' \
	  'make asan      all tests under AddressSanitizer and UndefinedBehaviorSanitizer' \
	  'make tsan      all tests under ThreadSanitizer' \
	  'make valgrind  the unit tests under valgrind' \
	  'make fuzz      each fuzz target for FUZZ_SECONDS (default 60)' \
	  'make fmt tidy  clang-format, clang-tidy'

packages:
	@$(SETUP) packages

build: packages
	@test -f build/build.ninja || cmake --preset release >/dev/null
	@cmake --build build

.setup/models/all-minilm-l6-v2.gguf: | build
	@$(SETUP) model-source
	@$(SETUP) model $(BINARY)

demo: build .setup/models/all-minilm-l6-v2.gguf
	@tools/demo.sh $(BINARY)

test: build .setup/models/all-minilm-l6-v2.gguf
	@command -v go >/dev/null || echo 'test: go is missing: clients/go is not tested (make test-clients fails for it)'
	@command -v node >/dev/null || echo 'test: node is missing: clients/typescript is not tested (make test-clients fails for it)'
	@ctest --test-dir build --output-on-failure --no-tests=error -j2

# Clients from the indexes of Python and Node.js: not part of `make test`, which needs Python's own library alone. Our own (clients/) are
# part of it where their languages are there; here they have to be.
test-clients: build .setup/models/all-minilm-l6-v2.gguf
	@for tool in go node npm; do \
	  command -v $$tool >/dev/null || { echo "test-clients: $$tool is missing; run: apt-get install golang nodejs npm" >&2; exit 1; }; \
	done
	@cmake -S . -B build >/dev/null && ctest --test-dir build --output-on-failure --no-tests=error -R '^clients\.'
	@$(MAKE) --no-print-directory test-official

# What others wrote: their clients, and their checks of what we say that we are.
test-official: build .setup/models/all-minilm-l6-v2.gguf
	@$(SETUP) clients
	@for noun in clients conformance openapi; do \
	  PYTHIA_BINARY=$(abspath $(BINARY)) PYTHIA_TEST_MODEL=$(abspath .setup/models/all-minilm-l6-v2.gguf) \
	  PYTHIA_TEST_NODE=$(abspath .setup/clients-node/node_modules) .setup/venv/bin/python tests/clients/test_$$noun.py || exit 1; \
	done

# The image, built and run without a Docker engine; as root.
test-container: build .setup/models/all-minilm-l6-v2.gguf
	@$(SETUP) container
	@PYTHIA_BINARY=$(abspath $(BINARY)) PYTHIA_TEST_MODEL=$(abspath .setup/models/all-minilm-l6-v2.gguf) \
	  python3 tests/container/test_container.py

# Documents as people make them, by the programs that they make them with.
test-documents: build
	@$(SETUP) producers
	@PYTHIA_BINARY=$(abspath $(BINARY)) python3 tests/producers/test_producers.py

# The page for people, in a real browser.
test-page: build .setup/models/all-minilm-l6-v2.gguf
	@$(SETUP) page
	@PYTHIA_BINARY=$(abspath $(BINARY)) PYTHIA_TEST_MODEL=$(abspath .setup/models/all-minilm-l6-v2.gguf) python3 tests/page/test_page.py

# An ARM machine tests itself. Kernels and their choice once as a CPU of each level, the rest with all levels at hand.
ifeq ($(shell uname -m),aarch64)
test-arm: test
else
# Minutes of builds of indexes each under qemu, of plain C that no level of kernels changes; test-arm on ARM runs them.
SLOW_EMULATED = ^index\.test_(kinds|kinds_faults|levels|compact|hnsw|lex)$$

test-arm: build .setup/models/all-minilm-l6-v2.gguf
	@$(SETUP) arm
	@cmake --preset aarch64 >/dev/null && cmake --build build-aarch64
	@for cpu in cortex-a72 neoverse-n1; do \
	  QEMU_CPU=$$cpu ctest --test-dir build-aarch64 --output-on-failure --no-tests=error -j2 -R '^kern\.' || exit 1; \
	done
	@QEMU_CPU=max ctest --test-dir build-aarch64 --output-on-failure --no-tests=error -j2 -E '$(SLOW_EMULATED)'
endif

asan tsan: build .setup/models/all-minilm-l6-v2.gguf
	@cmake --preset $@ >/dev/null && cmake --build build-$@
	@ctest --test-dir build-$@ --output-on-failure --no-tests=error -j2

valgrind: build .setup/models/all-minilm-l6-v2.gguf
	@tools/valgrind.sh build

FUZZ_SECONDS ?= 60
fuzz: packages
	@$(SETUP) fuzz-packages
	@cmake --preset fuzz >/dev/null && cmake --build build-fuzz
	@tools/fuzz.sh build-fuzz $(FUZZ_SECONDS)

SOURCES = $(shell git ls-files 'src/*.c' 'src/*.h' 'tests/*.c' 'tests/*.h' 'tools/*.c' 'bench/*.c')
fmt:
	@clang-format -i $(SOURCES)
fmt-check:
	@clang-format --dry-run -Werror $(SOURCES)
tidy: build
	@clang-tidy -p build --quiet $(filter src/%.c,$(SOURCES))

clean:
	rm -rf build build-asan build-tsan build-fuzz build-aarch64
