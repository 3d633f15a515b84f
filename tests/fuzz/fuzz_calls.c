/* A reader's calls, carried out: the first byte chooses the operation, the rest is the JSON of its parameters. They
 * find a small collection that has words and no vectors. What is shown must be of its files: "secret.env" lies beside
 * them and is not indexed. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "serve_desk.h"

#include "serve/ops.h"
#include "serve/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *name, *text;
} files[] = {
    {"retry.c",
     "/* Sending again. */\nstatic int backoff_next(struct backoff *b)\n{\n    return ++b->attempt < b->most;\n}\n"},
    {"dates.py", "def parse_iso(text):\n    \"\"\"Parse a date.\"\"\"\n    return backoff_next(text)\n"},
    {"guide.md",
     "---\nauthor: Anna Berg\ndate: 2024-05-01\n---\n# Guide\n\n## Printer\n\nThe tray takes fifty sheets.\n"},
    {"d\xc3\xa4/soup.txt", "Tomato soup: fry an onion in olive oil.\n"},
    {".pythiaignore", "secret.env\n"},
    {"secret.env", "zzxsecret=1\n"}};

static void tree_make(const char *home) {
    static char *none[] = {NULL};
    Arena a = {0};
    Config *config = NULL;
    Pythia *p = NULL;
    IndexReport *reports = NULL;
    size_t n = 0;
    const char *tree = path_join(&a, home, "tree");
    if (!tree || mkdir(tree, 0700) || mkdir(path_join(&a, tree, "d\xc3\xa4"), 0700)) abort();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        FILE *f = fopen(path_join(&a, tree, files[i].name), "w");
        if (!f || fputs(files[i].text, f) < 0 || fclose(f)) abort();
    }
    if (config_load(&config, &(ConfigSources){.environ = none})) abort();
    const PythiaOpts opts = {.config = config, .home = home, .cwd = tree, .environ = none};
    if (pythia_open(&p, &opts) || pythia_index(p, &a, &(IndexRequest){.lex_only = true}, &reports, &n)) abort();
    if (n != 1 || reports[0].added != 4) abort();
    pythia_close(p);
    config_free(config);
    arena_free(&a);
}

/* What a reader may call and what leaves everything as it is. */
static bool is_reading(const Op *op) {
    return op->role == ROLE_READ && !(op->flags & (OP_RAW | OP_INNER)) && op->run != op_feedback &&
           op->run != op_chat_begin;
}

static const Op *op_chosen(size_t at) {
    size_t n = 0;
    for (const Op *op = ops; op->name; op++) n += is_reading(op);
    at %= n;
    for (const Op *op = ops; op->name; op++)
        if (is_reading(op) && at-- == 0) return op;
    abort();
}

static void calls_send(Peer *p, Str message) {
    if (str_find(message, STR("zzxsecret")) >= 0) abort();
    fuzz_send(p, message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Peer p = {.desk = fuzz_desk_with(tree_make), .role = ROLE_READ, .send = calls_send, .gone = fuzz_gone};
    if (size == 0) return 0;
    Buf message = {0};
    buf_printf(&message, "{\"id\":1,\"method\":\"%s\",\"params\":", op_chosen(data[0])->name);
    buf_add(&message, str_make((const char *)data + 1, size - 1));
    buf_char(&message, '}');
    if (str_find(buf_str(&message), STR("zzxsecret")) < 0) { /* who asks for it hears it in the message */
        atomic_init(&p.holders, 1);
        rpc_message(&p, false, buf_str(&message));
        fuzz_drop(&p);
    }
    buf_free(&message);
    return 0;
}
