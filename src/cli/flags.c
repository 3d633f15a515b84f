/* flags.c - the flags of every command, for the table in commands.c. Those that stand for a configuration key take
 * their help and their valid values from the configuration table.
 */
#include "cli/flags.h"

const Flag global_flags[] = {
    {.name = "help", .letter = 'h', .help = "show this help"},
    {.name = "color", .type = FLAG_VALUE, .arg = "WHEN", .key = KEY(CONF_UI_COLOR)},
    {.name = "no-color", .key = KEY(CONF_UI_COLOR), .sets = "never", .help = "the same as --color never"},
    {.name = "config", .type = FLAG_LIST, .arg = "KEY=VALUE", .help = "set any configuration key for this call"},
    {.name = "log-level", .type = FLAG_VALUE, .arg = "LEVEL", .key = KEY(CONF_LOG_LEVEL)},
    {0},
};

#define FLAG_JSON                                                                                                      \
    { .name = "json", .help = "one JSON envelope on stdout, errors too" }
#define FLAG_PROGRESS                                                                                                  \
    { .name = "progress", .type = FLAG_VALUE, .arg = "HOW", .key = KEY(CONF_UI_PROGRESS) }
#define FLAG_IN_ONE                                                                                                    \
    {                                                                                                                  \
        .name = "in", .type = FLAG_VALUE, .arg = "COLLECTION",                                                         \
        .help = "the collection (default: the one that covers this folder)"                                            \
    }
#define FLAG_IN_PROCESS                                                                                                \
    {                                                                                                                  \
        .name = "in-process", .key = KEY(CONF_SERVE_SHARED), .sets = "false",                                          \
        .help = "ask no server, even when one runs"                                                                    \
    }
#define FLAG_MODEL                                                                                                     \
    { .name = "model", .type = FLAG_VALUE, .arg = "MODEL", .help = "a name from `pythia model list` or a GGUF file" }

const Flag json_flags[] = {FLAG_JSON, {0}};

const Flag index_flags[] = {
    {.name = "collection",
     .letter = 'c',
     .type = FLAG_VALUE,
     .arg = "COLLECTION",
     .help = "its name (default: the one that covers the path, else named after the folder)"},
    FLAG_MODEL,
    {.name = "glob",
     .letter = 'g',
     .type = FLAG_LIST,
     .arg = "GLOB",
     .help = "only files like this; with a leading ! not these; repeatable"},
    {.name = "force", .letter = 'f', .help = "everything again, also with another model"},
    {.name = "dry-run", .letter = 'n', .help = "tell what would be done, file by file, and do nothing"},
    {.name = "lex-only", .help = "words only; vectors stay pending until the next index"},
    {.name = "background", .help = "come back when words can be searched; the rest goes on in a process of its own"},
    {.name = "watch", .letter = 'w', .help = "go on with what changes, as `pythia watch` does"},
    {.name = "hidden", .key = KEY(CONF_INDEX_HIDDEN), .sets = "true"},
    {.name = "no-ignore", .help = "read no ignore file"},
    {.name = "noise", .type = FLAG_VALUE, .arg = "HOW", .key = KEY(CONF_INDEX_NOISE)},
    {.name = "secrets", .key = KEY(CONF_INDEX_SECRETS), .sets = "true"},
    {.name = "max-file-size", .type = FLAG_VALUE, .arg = "SIZE", .key = KEY(CONF_INDEX_MAX_FILE_SIZE)},
    {.name = "jobs", .letter = 'j', .type = FLAG_VALUE, .arg = "N", .key = KEY(CONF_INDEX_JOBS)},
    {.name = "index", .type = FLAG_VALUE, .arg = "KIND", .key = KEY(CONF_INDEX_KIND)},
    {.name = "store", .type = FLAG_VALUE, .arg = "STORE", .key = KEY(CONF_STORE_BACKEND), .alias = "backend"},
    FLAG_PROGRESS,
    FLAG_JSON,
    {0},
};

#define FLAG_MANAGED                                                                                                   \
    {                                                                                                                  \
        .name = "collection", .letter = 'c', .type = FLAG_VALUE, .arg = "COLLECTION",                                  \
        .help = "its name (default: documents)"                                                                        \
    }

const Flag add_flags[] = {
    FLAG_MANAGED,
    {.name = "name",
     .type = FLAG_VALUE,
     .arg = "NAME",
     .help = "what the one file is called; its ending tells the format (default: the file's name)"},
    {.name = "title", .type = FLAG_VALUE, .arg = "TITLE", .help = "of the one file (default: the document's own)"},
    {.name = "replace",
     .help = "a document of the same name gives way (default: both stay, the new one with a number)"},
    {.name = "ocr", .key = KEY(CONF_DOCUMENTS_OCR), .sets = "true"},
    {.name = "max-file-size", .type = FLAG_VALUE, .arg = "SIZE", .key = KEY(CONF_DOCUMENTS_MAX_FILE_SIZE)},
    FLAG_PROGRESS,
    FLAG_JSON,
    {0},
};
const Flag rm_flags[] = {FLAG_MANAGED, FLAG_JSON, {0}};

const Flag watch_flags[] = {
    {.name = "all", .letter = 'a', .help = "every collection that has a folder"},
    {.name = "poll", .help = "look at the folders every second or so: for ones that other machines write to"},
    FLAG_MODEL,
    {.name = "lex-only", .help = "words only; vectors stay pending until the next index"},
    {.name = "jobs", .letter = 'j', .type = FLAG_VALUE, .arg = "N", .key = KEY(CONF_INDEX_JOBS)},
    FLAG_JSON,
    {0},
};

/* SEARCH_ONLY of them come first. */
const Flag search_flags[] = {
    {.name = "mode", .type = FLAG_VALUE, .arg = "MODE", .key = KEY(CONF_SEARCH_MODE)},
    {.name = "fusion", .type = FLAG_VALUE, .arg = "HOW", .key = KEY(CONF_SEARCH_FUSION)},
    {.name = "no-collapse", .help = "show copies of a hit's text as hits, too, not as its other places"},
    {.name = "rerank", .help = "read the first hits once more with the reranker (model.rerank), which takes its time"},
    {.name = "limit", .letter = 'm', .type = FLAG_VALUE, .arg = "N", .key = KEY(CONF_SEARCH_LIMIT)},
    {.name = "lang",
     .letter = 't',
     .type = FLAG_COMMAS,
     .arg = "LANG",
     .help = "only these languages, as in -t c,python; repeatable"},
    {.name = "glob",
     .letter = 'g',
     .type = FLAG_LIST,
     .arg = "GLOB",
     .help = "only files like this; with a leading ! not these; repeatable"},
    {.name = "kind",
     .type = FLAG_COMMAS,
     .arg = "KIND",
     .help = "only hits of these kinds, such as function or section; repeatable"},
    {.name = "in", .type = FLAG_LIST, .arg = "COLLECTION", .help = "search this collection; repeatable"},
    {.name = "author",
     .type = FLAG_LIST,
     .arg = "NAME",
     .help = "only documents whose author is called so; repeatable"},
    {.name = "meta",
     .type = FLAG_LIST,
     .arg = "NAME=VALUE",
     .help =
         "only documents that say so of themselves, such as keywords=tides; with a leading ! not these; repeatable"},
    {.name = "since", .type = FLAG_VALUE, .arg = "DATE", .help = "files changed since: 2026-11-21, 2026-11, 7d, 12h"},
    {.name = "until",
     .type = FLAG_VALUE,
     .arg = "DATE",
     .help = "files changed until (the whole day, month or year is in)"},
    {.name = "min-score", .type = FLAG_VALUE, .arg = "SCORE", .key = KEY(CONF_SEARCH_MIN_SCORE)},
    {.name = "after-context",
     .letter = 'A',
     .type = FLAG_VALUE,
     .arg = "N",
     .help = "show the best line of each hit and N lines after it"},
    {.name = "before-context",
     .letter = 'B',
     .type = FLAG_VALUE,
     .arg = "N",
     .help = "show the best line of each hit and N lines before it"},
    {.name = "context", .letter = 'C', .type = FLAG_VALUE, .arg = "N", .help = "the same as -A N -B N"},
    {.name = "files", .letter = 'l', .help = "print only the paths of files with hits (--format files)"},
    {.name = "null", .letter = '0', .help = "with -l: end each path, as it is, with a NUL byte"},
    {.name = "full", .help = "show each hit whole: its symbol or section"},
    {.name = "explain", .help = "show how each score came about, and where the time went"},
    {.name = "max-tokens",
     .type = FLAG_VALUE,
     .arg = "N",
     .help = "stop when the output reaches about N tokens (4 bytes each)"},
    {.name = "deadline", .type = FLAG_VALUE, .arg = "TIME", .key = KEY(CONF_SEARCH_DEADLINE)},
    {.name = "format",
     .type = FLAG_VALUE,
     .arg = "FORMAT",
     .values = "text|json|jsonl|md|files|vimgrep",
     .help = "how hits are printed"},
    {.name = "json", .help = "the same as --format json: one envelope"},
    {.name = "jsonl", .help = "the same as --format jsonl: one hit a line"},
    FLAG_IN_PROCESS,
    {0},
};

const Flag ask_flags[] = {
    {.name = "lang",
     .letter = 't',
     .type = FLAG_COMMAS,
     .arg = "LANG",
     .help = "only from these languages; repeatable"},
    {.name = "glob",
     .letter = 'g',
     .type = FLAG_LIST,
     .arg = "GLOB",
     .help = "only from files like this; with a leading ! not these; repeatable"},
    {.name = "kind", .type = FLAG_COMMAS, .arg = "KIND", .help = "only from chunks of these kinds; repeatable"},
    {.name = "in", .type = FLAG_LIST, .arg = "COLLECTION", .help = "ask this collection; repeatable"},
    {.name = "author",
     .type = FLAG_LIST,
     .arg = "NAME",
     .help = "only documents whose author is called so; repeatable"},
    {.name = "meta",
     .type = FLAG_LIST,
     .arg = "NAME=VALUE",
     .help =
         "only documents that say so of themselves, such as keywords=tides; with a leading ! not these; repeatable"},
    {.name = "since", .type = FLAG_VALUE, .arg = "DATE", .help = "files changed since: 2026-11-21, 2026-11, 7d, 12h"},
    {.name = "until", .type = FLAG_VALUE, .arg = "DATE", .help = "files changed until"},
    {.name = "mode", .type = FLAG_VALUE, .arg = "MODE", .key = KEY(CONF_SEARCH_MODE)},
    {.name = "sources", .type = FLAG_VALUE, .arg = "N", .help = "read so many hits (default 8)"},
    {.name = "quotes", .type = FLAG_VALUE, .arg = "N", .help = "quote at most so many of their sentences (default 3)"},
    {.name = "abstain", .type = FLAG_VALUE, .arg = "P", .key = KEY(CONF_ASK_ABSTAIN)},
    {.name = "llm",
     .type = FLAG_VALUE,
     .arg = "WRITER",
     .key = KEY(CONF_ASK_URL),
     .help = "who writes the answer: none, local, or the URL of a service with OpenAI's API"},
    {.name = "model", .type = FLAG_VALUE, .arg = "MODEL", .key = KEY(CONF_ASK_MODEL), .help = "the writer's model"},
    {.name = "context-tokens", .type = FLAG_VALUE, .arg = "N", .key = KEY(CONF_ASK_CONTEXT_TOKENS)},
    {.name = "extractive", .help = "answer with quotes alone, whatever writer is configured"},
    {.name = "sources-only", .help = "print where the answer stands, not what it says"},
    {.name = "no-stream", .help = "print the answer when it is whole, not as it is written"},
    {.name = "session",
     .letter = 's',
     .type = FLAG_VALUE,
     .arg = "ID",
     .help = "follow on a chat, or begin one with `new`: what was said counts, and is kept"},
    {.name = "explain", .help = "with --json: what the confidence was made of"},
    {.name = "deadline", .type = FLAG_VALUE, .arg = "TIME", .key = KEY(CONF_SEARCH_DEADLINE)},
    {.name = "json", .help = "the answer as JSON"},
    FLAG_IN_PROCESS,
    {0},
};

const Flag get_flags[] = {FLAG_IN_ONE, FLAG_JSON, {0}};
const Flag symbols_flags[] = {
    {.name = "refs", .help = "of a name: the lines that use it"},
    {.name = "usages", .help = "of a name or a signature: the patterns of its uses, with examples"},
    {.name = "limit", .letter = 'm', .type = FLAG_VALUE, .arg = "N", .help = "at most N (1000; of usages 50)"},
    {.name = "lang", .letter = 't', .type = FLAG_COMMAS, .arg = "LANG", .help = "only these languages; repeatable"},
    {.name = "kind",
     .type = FLAG_COMMAS,
     .arg = "KIND",
     .help = "only these kinds, such as function or class; repeatable"},
    {.name = "in", .type = FLAG_LIST, .arg = "COLLECTION", .help = "look a name up in this collection; repeatable"},
    FLAG_JSON,
    {0},
};
const Flag why_flags[] = {FLAG_IN_ONE, FLAG_JSON, {0}};

const Flag status_flags[] = {
    {.name = "all", .letter = 'a', .help = "every collection, not only the one that covers this folder"},
    {.name = "no-check", .help = "do not look at the files: faster, but stale files are not told"},
    FLAG_JSON,
    {0},
};

const Flag list_flags[] = {{.name = "quiet", .letter = 'q', .help = "names only, one a line"}, FLAG_JSON, {0}};
const Flag remove_flags[] = {{.name = "yes", .letter = 'y', .help = "do not ask"}, FLAG_JSON, {0}};

const Flag chats_flags[] = {
    {.name = "limit", .letter = 'm', .type = FLAG_VALUE, .arg = "N", .help = "so many chats, the last one first (20)"},
    FLAG_JSON,
    {0}};

const Flag runs_flags[] = {
    {.name = "limit", .letter = 'm', .type = FLAG_VALUE, .arg = "N", .help = "so many runs, newest first (20)"},
    FLAG_JSON,
    {0}};

const Flag import_flags[] = {
    {.name = "name", .type = FLAG_VALUE, .arg = "NAME", .help = "the model's name here (default: the folder's)"},
    FLAG_JSON,
    {0}};

const Flag pull_flags[] = {{.name = "name",
                            .type = FLAG_VALUE,
                            .arg = "NAME",
                            .help = "the model's name here (default: the file's or the repository's)"},
                           FLAG_PROGRESS,
                           FLAG_JSON,
                           {0}};

const Flag distill_flags[] = {
    {.name = "name", .type = FLAG_VALUE, .arg = "NAME", .help = "the table's name (default: MODEL-static)"},
    {.name = "dimensions",
     .type = FLAG_VALUE,
     .arg = "N",
     .help = "numbers a vector has (256, or the model's if those are fewer)"},
    {.name = "corpus",
     .type = FLAG_VALUE,
     .arg = "PATH",
     .help = "weigh words by how rare they are there: a folder, or a file with {\"text\": …} a line"},
    {.name = "sif",
     .type = FLAG_VALUE,
     .arg = "A",
     .help = "without a corpus: words more frequent than this share of a text count less (0.001)"},
    {.name = "force", .letter = 'f', .help = "replace a model of that name"},
    FLAG_PROGRESS,
    FLAG_JSON,
    {0},
};

const Flag model_remove_flags[] = {
    {.name = "force", .letter = 'f', .help = "even if a collection or a setting names it"},
    FLAG_JSON,
    {0},
};

const Flag embed_flags[] = {
    FLAG_MODEL,
    {.name = "kind",
     .type = FLAG_VALUE,
     .arg = "KIND",
     .values = "query|document",
     .help = "which prefix the model puts before the text (document)"},
    {.name = "truncate",
     .type = FLAG_VALUE,
     .arg = "HOW",
     .values = "yes|no",
     .help = "cut a text over the model's limit and say so (yes), or refuse it"},
    FLAG_IN_PROCESS,
    FLAG_JSON,
    {0},
};

const Flag rerank_flags[] = {
    {.name = "model", .type = FLAG_VALUE, .arg = "MODEL", .key = KEY(CONF_MODEL_RERANK)},
    {.name = "top", .type = FLAG_VALUE, .arg = "N", .help = "only the best N"},
    {.name = "format",
     .type = FLAG_VALUE,
     .arg = "FORMAT",
     .values = "text|json|jsonl",
     .help = "how they are printed (text on a terminal, else jsonl)"},
    {.name = "json", .help = "the same as --format json: one envelope, errors too"},
    {.name = "jsonl", .help = "the same as --format jsonl: one text a line"},
    {0},
};

const Flag tokenize_flags[] = {FLAG_MODEL, FLAG_JSON, {0}};

const Flag eval_flags[] = {
    {.name = "mode", .type = FLAG_VALUE, .arg = "MODE", .key = KEY(CONF_SEARCH_MODE)},
    {.name = "fusion", .type = FLAG_VALUE, .arg = "HOW", .key = KEY(CONF_SEARCH_FUSION)},
    {.name = "rerank", .help = "with the reranker (model.rerank), as `search --rerank`"},
    FLAG_MODEL,
    {.name = "run-file",
     .type = FLAG_VALUE,
     .arg = "FILE",
     .help = "write the ranked documents there, as TREC has them"},
    {.name = "answers",
     .type = FLAG_VALUE,
     .arg = "N",
     .help = "where the queries have answers: ask so many of them, and so many that have none (default 200; 0: none)"},
    {.name = "vectors",
     .type = FLAG_VALUE,
     .arg = "SHARE",
     .help = "0 to 1: only so many documents get a vector; the others are found as in a collection whose vectors are "
             "still being "
             "made, by words and the static table (default 1)"},
    {.name = "report",
     .type = FLAG_VALUE,
     .arg = "FILE",
     .help = "write the figures of every query there, for eval report"},
    FLAG_PROGRESS,
    FLAG_JSON,
    {0},
};

const Flag eval_init_flags[] = {
    {.name = "in",
     .type = FLAG_VALUE,
     .arg = "COLLECTION",
     .help = "make it of this one, not the one that covers the folder"},
    {.name = "from",
     .type = FLAG_COMMAS,
     .arg = "KINDS",
     .values = "docstring|heading|commit|feedback",
     .help = "make queries of these alone (default: all four)"},
    {.name = "queries", .type = FLAG_VALUE, .arg = "N", .help = "so many at most (default 300)"},
    {.name = "seed", .type = FLAG_VALUE, .arg = "N", .help = "another one chooses other queries (default 1)"},
    {.name = "force", .help = "replace a set that is there"},
    FLAG_PROGRESS,
    FLAG_JSON,
    {0},
};

const Flag eval_gate_flags[] = {
    {.name = "baseline", .type = FLAG_VALUE, .arg = "FILE", .help = "what it was; needed"},
    {.name = "update", .help = "write the baseline instead of comparing with it"},
    {.name = "mode", .type = FLAG_VALUE, .arg = "MODE", .key = KEY(CONF_SEARCH_MODE)},
    {.name = "fusion", .type = FLAG_VALUE, .arg = "HOW", .key = KEY(CONF_SEARCH_FUSION)},
    FLAG_MODEL,
    FLAG_PROGRESS,
    FLAG_JSON,
    {0},
};

const Flag feedback_add_flags[] = {
    {.name = "verdict",
     .type = FLAG_VALUE,
     .arg = "WHAT",
     .values = "clicked|useful|useless",
     .help = "what became of it (default useful)"},
    FLAG_IN_ONE,
    FLAG_JSON,
    {0},
};
const Flag feedback_list_flags[] = {
    {.name = "limit", .letter = 'm', .type = FLAG_VALUE, .arg = "N", .help = "at most N, the newest first (20)"},
    FLAG_IN_ONE,
    FLAG_JSON,
    {0},
};
const Flag feedback_clear_flags[] = {FLAG_IN_ONE, FLAG_JSON, {0}};

const Flag bench_embed_flags[] = {
    {.name = "input", .type = FLAG_VALUE, .arg = "FILE", .help = "texts, as {\"text\": …} a line"},
    {.name = "threads", .type = FLAG_VALUE, .arg = "N", .key = KEY(CONF_MODEL_THREADS)},
    {.name = "precision", .type = FLAG_VALUE, .arg = "HOW", .key = KEY(CONF_MODEL_PRECISION)},
    FLAG_MODEL,
    FLAG_JSON,
    {0},
};

const Flag bench_generate_flags[] = {
    {.name = "input", .type = FLAG_VALUE, .arg = "FILE", .help = "prompts, as {\"text\": …} a line"},
    {.name = "tokens", .type = FLAG_VALUE, .arg = "N", .help = "to write behind each (default: 64)"},
    {.name = "each", .help = "a line for each prompt first: text, ids, and by how much each was the best"},
    {.name = "threads", .type = FLAG_VALUE, .arg = "N", .key = KEY(CONF_MODEL_THREADS)},
    {.name = "precision", .type = FLAG_VALUE, .arg = "HOW", .key = KEY(CONF_MODEL_PRECISION)},
    FLAG_MODEL,
    FLAG_JSON,
    {0},
};

const Flag bench_index_flags[] = {
    {.name = "base", .type = FLAG_VALUE, .arg = "FILE", .help = "vectors to index: .npy or .fvecs"},
    {.name = "queries", .type = FLAG_VALUE, .arg = "FILE", .help = "vectors to ask with"},
    {.name = "kind", .type = FLAG_VALUE, .arg = "KIND", .help = "one kind of index (default: all)"},
    {.name = "k", .type = FLAG_VALUE, .arg = "N", .help = "hits a query (default: 10)"},
    {.name = "keep-f32", .help = "rows of f32 beside the int8 ones, for the last few candidates"},
    FLAG_JSON,
    {0},
};

const Flag bench_search_flags[] = {
    {.name = "queries",
     .type = FLAG_VALUE,
     .arg = "FILE",
     .help = "what to ask, as {\"text\": …} or {\"query\": …} a line"},
    FLAG_IN_ONE,
    {.name = "mode", .type = FLAG_VALUE, .arg = "MODE", .key = KEY(CONF_SEARCH_MODE)},
    {.name = "limit", .letter = 'm', .type = FLAG_VALUE, .arg = "N", .key = KEY(CONF_SEARCH_LIMIT)},
    {.name = "threads",
     .type = FLAG_VALUE,
     .arg = "N",
     .help = "callers at once for qps, each on a thread (default: 1)"},
    {.name = "rounds", .type = FLAG_VALUE, .arg = "N", .help = "all queries so often; the best counts (default: 3)"},
    FLAG_JSON,
    {0},
};

const Flag config_set_flags[] = {
    {.name = "project", .help = "into ./.pythia.ini instead of your own file"}, FLAG_JSON, {0}};

const Flag serve_flags[] = {{.name = "socket", .type = FLAG_VALUE, .arg = "PATH", .key = KEY(CONF_SERVE_SOCKET)},
                            {.name = "stdio", .help = "JSON-RPC 2.0 on stdin and stdout, one message a line"},
                            {.name = "http", .type = FLAG_VALUE, .arg = "ADDRESS", .key = KEY(CONF_SERVE_HTTP)},
                            {.name = "idle-exit", .type = FLAG_VALUE, .arg = "TIME", .key = KEY(CONF_SERVE_IDLE_EXIT)},
                            {.name = "tls-cert", .type = FLAG_VALUE, .arg = "FILE", .key = KEY(CONF_SERVE_TLS_CERT)},
                            {.name = "tls-key", .type = FLAG_VALUE, .arg = "FILE", .key = KEY(CONF_SERVE_TLS_KEY)},
                            {.name = "log", .type = FLAG_VALUE, .arg = "WHERE", .key = KEY(CONF_SERVE_LOG)},
                            {0}};
const Flag health_flags[] = {{.name = "http", .type = FLAG_VALUE, .arg = "ADDRESS", .key = KEY(CONF_SERVE_HTTP)},
                             {.name = "tls-cert", .type = FLAG_VALUE, .arg = "FILE", .key = KEY(CONF_SERVE_TLS_CERT)},
                             FLAG_JSON,
                             {0}};
const Flag token_create_flags[] = {{.name = "role",
                                    .type = FLAG_VALUE,
                                    .arg = "ROLE",
                                    .values = "read|write|admin",
                                    .help = "what it may do: search, index too, everything (default read)"},
                                   FLAG_JSON,
                                   {0}};

const Flag help_flags[] = {{.name = "markdown", .help = "the whole manual as Markdown"}, {0}};
