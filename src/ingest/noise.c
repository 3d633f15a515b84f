/* noise.c - see noise.h. Names are compared without regard to ASCII case.
 *
 * What decides is written down in four tables; a wrong entry costs somebody a file, so they hold what is a secret, a
 * lock file or a copy by its nature, not what merely often is one: `build/` and `dist/` are left to ignore files,
 * `.key` to the text (Keynote's documents end so too), `deps/` and `external/` to nobody.
 */
#include "ingest/noise.h"
#include "base/ascii.h"

#include <stdio.h>
#include <string.h>

#include "ingest/read.h"

typedef enum { PLAIN, SECRET, LOCK, MINIFIED, GENERATED, VENDORED } Kind;

typedef struct {
    const char *text; /* lower case */
    Kind kind;
    const char *what;
} Row;

/* The base name. */
static const Row names[] = {
    {".env", SECRET, "environment file"},
    {".env.example", PLAIN, NULL},
    {".env.sample", PLAIN, NULL},
    {".env.template", PLAIN, NULL},
    {".env.dist", PLAIN, NULL},
    {".envrc", SECRET, "environment file"},
    {".netrc", SECRET, "credentials"},
    {"_netrc", SECRET, "credentials"},
    {".pgpass", SECRET, "credentials"},
    {".my.cnf", SECRET, "credentials"},
    {".npmrc", SECRET, "credentials"},
    {".pypirc", SECRET, "credentials"},
    {".htpasswd", SECRET, "credentials"},
    {".git-credentials", SECRET, "credentials"},
    {".dockercfg", SECRET, "credentials"},
    {".s3cfg", SECRET, "credentials"},
    {".boto", SECRET, "credentials"},
    {".vault-token", SECRET, "credentials"},
    {"credentials.json", SECRET, "credentials"},
    {"secrets.yml", SECRET, "credentials"},
    {"secrets.yaml", SECRET, "credentials"},
    {"secrets.json", SECRET, "credentials"},
    {"secrets.toml", SECRET, "credentials"},
    {"master.key", SECRET, "private key"},
    {"id_rsa", SECRET, "private key"},
    {"id_dsa", SECRET, "private key"},
    {"id_ecdsa", SECRET, "private key"},
    {"id_ecdsa_sk", SECRET, "private key"},
    {"id_ed25519", SECRET, "private key"},
    {"id_ed25519_sk", SECRET, "private key"},
    {"package-lock.json", LOCK, "npm"},
    {"npm-shrinkwrap.json", LOCK, "npm"},
    {"yarn.lock", LOCK, "yarn"},
    {"pnpm-lock.yaml", LOCK, "pnpm"},
    {"bun.lock", LOCK, "bun"},
    {"deno.lock", LOCK, "deno"},
    {"cargo.lock", LOCK, "cargo"},
    {"go.sum", LOCK, "go"},
    {"go.work.sum", LOCK, "go"},
    {"poetry.lock", LOCK, "poetry"},
    {"pipfile.lock", LOCK, "pipenv"},
    {"pdm.lock", LOCK, "pdm"},
    {"uv.lock", LOCK, "uv"},
    {"gemfile.lock", LOCK, "bundler"},
    {"composer.lock", LOCK, "composer"},
    {"mix.lock", LOCK, "mix"},
    {"rebar.lock", LOCK, "rebar"},
    {"pubspec.lock", LOCK, "pub"},
    {"podfile.lock", LOCK, "cocoapods"},
    {"package.resolved", LOCK, "swift"},
    {"cartfile.resolved", LOCK, "carthage"},
    {"flake.lock", LOCK, "nix"},
    {"packages.lock.json", LOCK, "nuget"},
    {"paket.lock", LOCK, "paket"},
    {"gradle.lockfile", LOCK, "gradle"},
    {".terraform.lock.hcl", LOCK, "terraform"},
    {"stack.yaml.lock", LOCK, "stack"},
    {"cabal.project.freeze", LOCK, "cabal"},
    {"conan.lock", LOCK, "conan"},
};

/* How the base name begins. */
static const Row starts[] = {
    {".env.", SECRET, "environment file"},
    {"client_secret", SECRET, "credentials"},
};

/* How the path ends. */
static const Row endings[] = {
    {".env", SECRET, "environment file"},
    {".tfvars", SECRET, "environment file"},
    {".tfstate", SECRET, "credentials"},
    {".tfstate.backup", SECRET, "credentials"},
    {".ppk", SECRET, "private key"},
    {".p12", SECRET, "key store"},
    {".pfx", SECRET, "key store"},
    {".jks", SECRET, "key store"},
    {".keystore", SECRET, "key store"},
    {".kdbx", SECRET, "key store"},
    {".aws/credentials", SECRET, "credentials"},
    {".docker/config.json", SECRET, "credentials"},
    {".kube/config", SECRET, "credentials"},
    {".min.js", MINIFIED, "by its name"},
    {".min.mjs", MINIFIED, "by its name"},
    {".min.cjs", MINIFIED, "by its name"},
    {".min.css", MINIFIED, "by its name"},
    {".js.map", MINIFIED, "source map"},
    {".mjs.map", MINIFIED, "source map"},
    {".css.map", MINIFIED, "source map"},
    {".ts.map", MINIFIED, "source map"},
    {".pb.go", GENERATED, NULL},
    {".pb.cc", GENERATED, NULL},
    {".pb.h", GENERATED, NULL},
    {"_pb2.py", GENERATED, NULL},
    {"_pb2.pyi", GENERATED, NULL},
    {"_pb2_grpc.py", GENERATED, NULL},
    {"_pb.js", GENERATED, NULL},
    {"_pb.ts", GENERATED, NULL},
    {"_pb.d.ts", GENERATED, NULL},
    {".g.dart", GENERATED, NULL},
    {".freezed.dart", GENERATED, NULL},
    {".designer.cs", GENERATED, NULL},
    {".g.cs", GENERATED, NULL},
};

/* A folder above the file. */
static const Row folders[] = {
    {"vendor", VENDORED, NULL},      {"_vendor", VENDORED, NULL},     {"vendored", VENDORED, NULL},
    {"third_party", VENDORED, NULL}, {"third-party", VENDORED, NULL}, {"thirdparty", VENDORED, NULL},
    {"3rdparty", VENDORED, NULL},    {"godeps", VENDORED, NULL},      {"extern", VENDORED, NULL},
};

/* Folders that are not walked: what a package manager put there, and what a program keeps for itself. */
static const struct {
    const char *name, *reason;
} packages[] = {
    {"node_modules", "installed packages (node_modules)"},
    {"bower_components", "installed packages (bower_components)"},
    {"jspm_packages", "installed packages (jspm_packages)"},
    {"site-packages", "installed packages (site-packages)"},
    {".venv", "installed packages (.venv)"},
    {".tox", "installed packages (.tox)"},
    {".nox", "installed packages (.nox)"},
    {".yarn", "installed packages (.yarn)"},
    {".pnpm-store", "installed packages (.pnpm-store)"},
    {".terraform", "installed packages (.terraform)"},
    {"__pypackages__", "installed packages (__pypackages__)"},
    {"__pycache__", "cache (__pycache__)"},
    {".mypy_cache", "cache (.mypy_cache)"},
    {".pytest_cache", "cache (.pytest_cache)"},
    {".ruff_cache", "cache (.ruff_cache)"},
    {".gradle", "cache (.gradle)"},
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

const char *noise_of_folder(Str name) {
    for (size_t i = 0; i < COUNT(packages); i++)
        if (str_is(name, packages[i].name)) return packages[i].reason;
    return NULL;
}

/* ---- by the path ---- */

static const Row *row_of_name(Str name) {
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_is(name, names[i].text)) return &names[i];
    for (size_t i = 0; i < COUNT(starts); i++)
        if (str_starts(name, str_of(starts[i].text))) return &starts[i];
    return NULL;
}

static const Row *row_of_path(Str path) {
    for (size_t i = 0; i < COUNT(endings); i++)
        if (str_ends(path, str_of(endings[i].text))) return &endings[i];
    Str rest = path, part;
    while (str_cut(&rest, '/', &part) && rest.n)
        for (size_t i = 0; i < COUNT(folders); i++)
            if (str_is(part, folders[i].text)) return &folders[i];
    return NULL;
}

/* What the row means under these options. */
static Err row_apply(Arena *a, const Row *row, const NoiseOpts *opts, Str *skip, float *prior) {
    switch (row->kind) {
    case PLAIN:
        return ERR_OK;
    case SECRET:
        if (!opts->secrets) *skip = arena_printf(a, "secret (%s)", row->what);
        break;
    case LOCK:
        if (!opts->keep) *skip = arena_printf(a, "lock file (%s)", row->what);
        break;
    case MINIFIED:
        if (!opts->keep) *skip = arena_printf(a, "minified (%s)", row->what);
        break;
    case GENERATED:
    case VENDORED:
        if (!opts->keep) *prior = NOISE_PRIOR;
        break;
    }
    return skip->p ? ERR_OK : arena_error();
}

Err noise_of_path(Arena *a, Str path, const NoiseOpts *opts, Str *skip, float *prior) {
    *skip = STR("");
    *prior = 1.0f;
    char *small = arena_alloc(a, path.n + 1);
    if (!small) return arena_error();
    for (size_t i = 0; i < path.n; i++) small[i] = lower(path.p[i]);
    const Str low = str_make(small, path.n);
    size_t base = path.n;
    while (base > 0 && small[base - 1] != '/') base--;
    const Row *row = row_of_name(str_from(low, base));
    if (!row) row = row_of_path(low);
    return row ? row_apply(a, row, opts, skip, prior) : ERR_OK;
}

/* ---- by the text ---- */

enum {
    HEAD_BYTES = 4096, /* where generators sign */
    HEAD_LINES = 60,
    KEY_BYTES = 65536,  /* private keys are looked for in so much of a file that is neither code nor prose */
    LONG_LINE = 20000,  /* bytes; nobody wrote that line of code */
    LONG_AVERAGE = 500, /* bytes a line, over at least AVERAGE_FROM bytes: a small one-line JSON is not minified */
    AVERAGE_FROM = 8192,
};

/* The file is a key: its first line says so. */
static bool is_private_key(Str text) {
    Str rest = str_trim(text), line;
    return str_line(&rest, &line) && str_starts(line, STR("-----BEGIN ")) && str_find(line, STR("PRIVATE KEY")) > 0;
}

/* A key stands in a file of its own, or in one of settings; code and prose that show one show an example. */
static bool holds_private_key(Str text) {
    Str rest = str_upto(text, KEY_BYTES);
    for (Str line; str_line(&rest, &line);) {
        if (str_starts(line, STR("-----BEGIN ")) && str_find(line, STR("PRIVATE KEY")) > 0) return true;
        const ptrdiff_t at = str_find(line, STR("\"private_key\"")); /* of a service account, in JSON */
        if (at >= 0 && str_find(str_from(line, (size_t)at), STR("-----BEGIN ")) > 0) return true;
    }
    return false;
}

static bool has_nocase(Str s, const char *what) {
    const size_t n = strlen(what);
    for (size_t i = 0; i + n <= s.n; i++) {
        size_t k = 0;
        while (k < n && lower(s.p[i + k]) == what[k]) k++;
        if (k == n) return true;
    }
    return false;
}

/* A line that is a comment in some language, without asking which. */
static bool is_comment(Str line) {
    const Str s = str_trim(line);
    return s.n && strchr("/#*-;<%\"'(!{", s.p[0]);
}

/* Generators sign in a comment at the top: Go's "Code generated … DO NOT EDIT", "@generated", "This file is
 * automatically generated". The signature must be in one comment line or spread over two: a generator's own source has
 * it in a string, on lines that begin with code. */
static bool is_signed(Str text) {
    static const char *const hands_off[] = {"do not edit", "do not modify", "don't edit", "do not change",
                                            "do not hand"};
    Str rest = str_upto(text, HEAD_BYTES), line;
    bool generated = false, off = false;
    int lines_since = 0;
    for (int n = 0; n < HEAD_LINES && str_line(&rest, &line); n++) {
        if (lines_since++ > 2) generated = off = false;
        if (!is_comment(line)) continue;
        if (has_nocase(line, "@generated")) return true;
        const bool of_file = has_nocase(line, "this file") || has_nocase(line, "file is") || has_nocase(line, "by ");
        const bool automatic = has_nocase(line, "automatically generated") || has_nocase(line, "auto-generated") ||
                               has_nocase(line, "autogenerated") || has_nocase(line, "machine generated");
        if (of_file && automatic) return true;
        if (has_nocase(line, "generated")) generated = true, lines_since = 0;
        for (size_t i = 0; i < COUNT(hands_off); i++)
            if (has_nocase(line, hands_off[i])) off = true, lines_since = 0;
        if (generated && off) return true;
    }
    return false;
}

/* 48211 as "48,211" */
static void count_text(size_t v, char out[32]) {
    char digits[24];
    const int n = snprintf(digits, sizeof digits, "%zu", v);
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
}

/* Generated code, data in one line: found by nobody and filling the index. Prose has a paragraph a line and is let
 * be. */
static Err minified_judge(Arena *a, const Doc *doc, LangClass class, Str *skip) {
    size_t lines = 0, longest = 0, longest_line = 0;
    Str rest = doc->text;
    for (Str line; str_line(&rest, &line);) {
        lines++;
        if (line.n > longest) longest = line.n, longest_line = lines;
    }
    char count[32];
    const bool by_average = class == LANG_CODE || str_is(doc->lang, "json") || str_is(doc->lang, "xml");
    if (longest > LONG_LINE) {
        count_text(longest, count);
        *skip = arena_printf(a, "minified (line %zu has %s bytes)", longest_line, count);
    } else if (by_average && doc->text.n >= AVERAGE_FROM && doc->text.n / (lines ? lines : 1) > LONG_AVERAGE) {
        count_text(doc->text.n / (lines ? lines : 1), count);
        *skip = arena_printf(a, "minified (%s bytes a line)", count);
    }
    return skip->p ? ERR_OK : arena_error();
}

Err noise_of_text(Arena *a, const Doc *doc, const NoiseOpts *opts, Str *skip, float *prior) {
    const LangClass class = lang_class(doc->lang);
    *skip = STR("");
    const bool key =
        class == LANG_PROSE ? is_private_key(doc->text) : class != LANG_CODE && holds_private_key(doc->text);
    if (key && !opts->secrets) *skip = STR("secret (private key)");
    if (skip->n || class == LANG_PROSE || opts->keep) return ERR_OK;
    if (is_signed(doc->text) && *prior > NOISE_PRIOR) *prior = NOISE_PRIOR;
    return minified_judge(a, doc, class, skip);
}
