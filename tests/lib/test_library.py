"""libpythia as a program meets it: installed into a folder, compiled against by pkg-config, shared and static."""
import json
import os
import pathlib
import re
import resource
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cli"))

from harness import LIMIT_S, PythiaTest, main, subprocess

BUILD = os.environ.get("PYTHIA_BUILD", "")
CALLS = {"pythia_version", "pythia_start", "pythia_stop", "pythia_put", "pythia_find", "pythia_found_free", "pythia_vectors",
         "pythia_call", "pythia_free"}

THREADS = r"""
#include <pthread.h>
#include <pythia.h>
#include <stdio.h>
#include <string.h>
static pythia_engine *engine;
static void *ask(void *which) {
    const char *wanted = which;
    char *reply = NULL;
    if (pythia_call(engine, "ask", "{\"question\":\"what is a tomato?\"}", &reply, NULL)) return "no answer";
    pythia_free(reply);
    for (int i = 0; i < 20; i++) {
        pythia_found *found = NULL;
        pythia_error error;
        if (pythia_find(engine, wanted, 1, "{\"mode\":\"lexical\"}", &found, &error)) return error.message[0] ? "error" : "?";
        int wrong = found->n != 1 || strcmp(found->hits[0].path, wanted) != 0;
        pythia_found_free(found);
        if (wrong) return "wrong";
    }
    return NULL;
}
int main(void) {
    static const pythia_doc docs[] = {{"tomato", 0, "tomato"}, {"lantern", 0, "lantern"}};
    pythia_error error;
    pthread_t threads[8];
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 << 10); /* what pythia.h promises to do with */
    if (pythia_start(&engine, NULL, &error) || pythia_put(engine, NULL, docs, 2, &error)) return puts(error.message), 1;
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], &small, ask, (void *)docs[i % 2].id);
    int bad = 0;
    for (int i = 0; i < 8; i++) {
        void *said = NULL;
        pthread_join(threads[i], &said);
        if (said) puts(said), bad = 1;
    }
    float *vectors = NULL;
    size_t dim = 0;
    const char *texts[] = {"a", "b"};
    if (pythia_vectors(engine, texts, 2, 1, &vectors, &dim, &error)) return puts(error.message), 1;
    double length = 0;
    for (size_t i = 0; i < dim; i++) length += (double)vectors[dim + i] * (double)vectors[dim + i];
    printf("%zu %.3f\n", dim, length);
    pythia_free(vectors);
    pythia_stop(engine);
    return bad;
}
"""

ERRORS = r"""
#include <pythia.h>
#include <stdio.h>
static void say(const char *what, int result, const pythia_error *e) {
    printf("%s|%d|%s|%s\n", what, result, result ? e->code : "", result ? e->message : "");
}
int main(void) {
    static const char *const unknown[] = {"search.nonsense=1", NULL}, *const no_value[] = {"search.limit", NULL};
    static const char *const bad_value[] = {"search.limit=many", NULL};
    static const pythia_doc ill[] = {{"a", 0, "\xff\xfe"}}, fine[] = {{"a", 0, "text"}};
    pythia_options o = {0};
    pythia_engine *engine = NULL;
    pythia_found *found = NULL;
    pythia_error e;
    char *reply = NULL;
    float *vectors = NULL;
    size_t dim = 0;
    o.settings = unknown;
    say("unknown key", pythia_start(&engine, &o, &e), &e);
    o.settings = no_value;
    say("no value", pythia_start(&engine, &o, &e), &e);
    o.settings = bad_value;
    say("bad value", pythia_start(&engine, &o, &e), &e);
    say("without a place for the error", pythia_start(&engine, &o, NULL), &e);
    say("start", pythia_start(&engine, NULL, &e), &e);
    say("nothing indexed", pythia_find(engine, "a", 1, NULL, &found, &e), &e);
    say("ill text", pythia_put(engine, NULL, ill, 1, &e), &e);
    say("put", pythia_put(engine, NULL, fine, 1, &e), &e);
    say("ill query", pythia_find(engine, "\xff", 1, NULL, &found, &e), &e);
    say("no query", pythia_find(engine, NULL, 1, NULL, &found, &e), &e);
    say("limit", pythia_find(engine, "a", 5000, NULL, &found, &e), &e);
    say("fields", pythia_find(engine, "a", 1, "[1]", &found, &e), &e);
    say("field", pythia_find(engine, "a", 1, "{\"nonsense\":1}", &found, &e), &e);
    say("ill vector", pythia_vectors(engine, (const char *const[]){"\xff"}, 1, 0, &vectors, &dim, &e), &e);
    say("method", pythia_call(engine, "nonsense", NULL, &reply, &e), &e);
    say("inner", pythia_call(engine, "shared_search", NULL, &reply, &e), &e);
    say("params", pythia_call(engine, "read", "{", &reply, &e), &e);
    say("shutdown", pythia_call(engine, "shutdown", NULL, &reply, &e), &e);
    say("index", pythia_call(engine, "index", "{\"path\":\"/nowhere\"}", &reply, &e), &e);
    pythia_stop(engine);
    pythia_stop(NULL);
    pythia_free(NULL);
    pythia_found_free(NULL);
    return found || reply || vectors;
}
"""

# In how many bytes of address space a start and a search may fail, but not end the program.
SCARCE = r"""
#include <pythia.h>
#include <stdio.h>
int main(void) {
    pythia_engine *engine = NULL;
    pythia_found *found = NULL;
    pythia_error e = {{0}, {0}, {0}};
    if (pythia_start(&engine, NULL, &e) == 0) (void)pythia_find(engine, "keeper", 3, "{\"collections\":[\"documents\"]}", &found, &e);
    printf("%s %s\n", e.code[0] ? e.code : "found", e.message);
    pythia_found_free(found);
    pythia_stop(engine);
    return 0;
}
"""


class LibraryTest(PythiaTest):
    @classmethod
    def setUpClass(cls):
        cls.prefix = pathlib.Path(os.path.realpath(os.path.join(BUILD, "test-prefix")))
        shutil.rmtree(cls.prefix, ignore_errors=True)
        subprocess.run([os.environ["PYTHIA_CMAKE"], "--install", BUILD, "--prefix", str(cls.prefix)], check=True, capture_output=True)
        cls.addClassCleanup(shutil.rmtree, cls.prefix, ignore_errors=True)
        cls.pc = {**os.environ, "PKG_CONFIG_PATH": str(next(cls.prefix.rglob("pythia.pc")).parent)}
        cls.libraries = next(cls.prefix.rglob("libpythia.a")).parent

    def pkg_config(self, *flags):
        return subprocess.run(["pkg-config", *flags, "pythia"], env=self.pc, check=True, capture_output=True, text=True).stdout.split()

    def compile(self, source, static=False, flags=("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror")):
        program = self.dir / "program"
        if isinstance(source, str):
            source = self.write("program.c", source, root=self.dir)
        libraries = self.pkg_config("--libs")
        if static:
            libraries = [str(self.libraries / "libpythia.a"), *[x for x in self.pkg_config("--static", "--libs") if x != "-lpythia"]]
        subprocess.run([os.environ.get("CC", "cc"), *flags, str(source), "-o", str(program), *self.pkg_config("--cflags"), *libraries, "-pthread"],
                       check=True)
        return program

    def run_it(self, program, *args, code=0, **how):
        env = {**self.env, "LD_LIBRARY_PATH": str(self.libraries)}
        done = subprocess.run([str(program), *args], env=env, cwd=self.dir, capture_output=True, text=True, timeout=LIMIT_S, **how)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    # ---- what is installed ----

    def test_the_header_is_the_only_one(self):
        self.assertEqual([p.name for p in (self.prefix / "include").rglob("*") if p.is_file()], ["pythia.h"])
        for flags in (["-xc", "-std=c99"], ["-xc++"] if shutil.which("c++") else ["-xc", "-std=c17"]):
            compiler = "c++" if "-xc++" in flags else os.environ.get("CC", "cc")
            subprocess.run([compiler, *flags, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-"], check=True, text=True,
                           input="#include \"%s\"\nint main(void) { return pythia_version() == 0; }\n" % (self.prefix / "include" / "pythia.h"))

    def names(self, *args):
        out = subprocess.run(["nm", "--defined-only", *args], check=True, capture_output=True, text=True).stdout
        return {line.split()[-1] for line in out.splitlines() if len(line.split()) == 3}

    def test_nothing_but_the_header_s_calls_is_exported(self):
        header = (self.prefix / "include" / "pythia.h").read_text()
        self.assertEqual(set(re.findall(r"(?m)^PYTHIA_API [^;(]*?\**(pythia_\w+)\(", header)), CALLS)
        self.assertEqual(self.names("-D", str(self.libraries / "libpythia.so")), CALLS)
        self.assertEqual(self.names("-g", str(self.libraries / "libpythia.a")), CALLS)

    def test_nothing_of_ours_ends_the_process(self):
        out = subprocess.run(["nm", "-u", str(self.libraries / "libpythia.a")], check=True, capture_output=True, text=True).stdout
        self.assertNotIn("exit", {line.split()[-1] for line in out.splitlines() if line})

    # ---- the example ----

    def check_example(self, static):
        program = self.compile(ROOT / "examples" / "find.c", static=static)
        lines = self.run_it(program, "who is at the lighthouse").splitlines()
        self.assertRegex(lines[0], r"^lamp:1 0\.\d\d The keeper lights the lamp")
        self.assertIn("The keeper lights the lamp", json.loads(lines[-1])["answer"])
        needed = subprocess.run(["ldd", str(program)], check=True, capture_output=True, text=True,
                                env={**os.environ, "LD_LIBRARY_PATH": str(self.libraries)}).stdout
        self.assertEqual("libpythia.so.0" in needed, not static)

    def test_the_example_runs_with_the_shared_library(self):
        self.check_example(static=False)

    def test_the_example_runs_with_the_static_library(self):
        self.check_example(static=True)

    # ---- promises ----

    def test_threads_share_an_engine(self):
        self.assertEqual(self.run_it(self.compile(THREADS)), "384 1.000\n")

    def test_every_error_is_told(self):
        said = [line.split("|") for line in self.run_it(self.compile(ERRORS)).splitlines()]
        wanted = {"unknown key": ("usage", "search.nonsense"), "no value": ("usage", "a setting is KEY=VALUE, not 'search.limit'"),
                  "bad value": ("usage", "many"), "nothing indexed": ("no_collection", "nothing is indexed yet"),
                  "ill text": ("bad_input", "no UTF-8"), "ill query": ("bad_input", "no UTF-8"), "no query": ("usage", "'query'"),
                  "limit": ("usage", "'limit'"), "fields": ("bad_input", "'fields' must be a JSON object"),
                  "field": ("usage", "unknown field 'nonsense'"), "ill vector": ("bad_input", "no UTF-8"),
                  "method": ("usage", "unknown method 'nonsense'"), "inner": ("usage", "unknown method 'shared_search'"),
                  "params": ("bad_input", "'params' is not JSON"), "shutdown": ("unsupported", "does not end by a call"),
                  "index": ("", "/nowhere")}
        self.assertEqual({x[0] for x in said if x[1] == "0"}, {"start", "put"})
        for what, result, code, message in said:
            if what in wanted:
                self.assertEqual(result, "-1")
                self.assertIn(wanted[what][1], message)
                self.assertEqual(code, wanted[what][0] or code)
        self.assertEqual({x[0] for x in said}, set(wanted) | {"start", "put", "without a place for the error"})

    def test_scarce_memory_ends_a_call_and_not_the_program(self):
        self.pythia("add", "-", "--name", "a.txt", stdin=b"The keeper lights the lamp.", code=0)
        program = self.compile(SCARCE)
        seen = set()
        for megabytes in (*range(60, 320, 20), 400, 700, 1500):
            size = megabytes << 20
            limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size))
            seen.add(self.run_it(program, preexec_fn=limit).split()[0])
        # What fails first depends on the machine: an allocation, the mapping of a file, the start of a thread.
        self.assertIn("found", seen)
        self.assertTrue(seen & {"out_of_memory", "io", "limit"}, seen)
        self.assertLessEqual(seen, {"found", "out_of_memory", "io", "limit"})


if __name__ == "__main__":
    main()
