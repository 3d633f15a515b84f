/* command_texts.c - see command_texts.h; in the order of the table. */
#include "cli/command_texts.h"

/* ---- find ---- */

const char search_text[] =
    "Searches the collection that covers this folder (or PATH…, or --in). On a terminal each hit shows a few\n"
    "lines around its best line; piped, one line a hit: PATH:LINE:SCORE:FIRST LINE (--color always gives the\n"
    "terminal's form to a pager). Every hit is checked against the live file: fresh, moved, changed or gone.\n"
    "In the query: \"a phrase\" +must -mustnot lang:c kind:function path:src file:*.h sym:NAME in:NAME "
    "author:NAME\n"
    "date>=2026-11; a definition whose exact name is typed comes first. Exit code 1: nothing found.";

const char ask_text[] =
    "Quotes the sentences and blocks that answer, word for word, each with its source; with --llm (ask.url) a\n"
    "model writes, and every sentence that does not stand in the sources is left out. When the confidence is\n"
    "below ask.abstain, or nothing of what was written holds, it says so, what was searched and what came\n"
    "nearest: exit code 1. The question takes the operators of a search.";

const char chat_start_text[] =
    "A question a line; each may follow on those before (\"and how long is it?\"). The chat is kept: -s ID "
    "goes on with one.\n"
    "/exit or the end of the input ends it.";

const char similar_text[] =
    "Nearest neighbours of a hit (its ID), or of what stands at a line of an indexed file, in its collection "
    "or in\n"
    "those that --in names. Exit code 1: nothing found.";

const char symbols_text[] =
    "A file's functions, classes, constants and keys, or its headings; piped, as "
    "PATH:LINE:KIND:SYMBOL:SIGNATURE.\n"
    "A name may be qualified (Backoff.next, Backoff::next). When nothing has the name, those that begin so "
    "are told. A signature, such as 'next(b, now)', asks for calls with as many arguments (--usages).";

/* ---- index ---- */

const char index_text[] =
    "Without PATH the folder you stand in. Only what changed is done again: by content, so that renames and "
    "copies\n"
    "cost no embedding. Ctrl-C keeps what is done; the next `pythia index` goes on from there.\n"
    "--background comes back as soon as the words of all files can be searched; `pythia runs` shows how far the\n"
    "rest is, `pythia runs cancel` stops it, and what it says stands in logs/background.log of the data folder.";

const char add_text[] =
    "A copy of their text is kept, whatever becomes of the files; any format that `index` reads. A document is "
    "what its\n"
    "bytes are: the same again, under whatever name, is known and done at once. - reads stdin and wants --name.\n"
    "Exit code 9: some were refused, and why; nothing of those is kept.";

const char watch_text[] =
    "Indexes what PATH… belongs to (without PATH the folder you stand in) and then whatever changes: the words\n"
    "of a saved file can be found within a second, its vectors follow. The system tells of changes (inotify);\n"
    "where it cannot, the folders are looked at from time to time, and a line says why. Ctrl-C or SIGTERM ends\n"
    "it; nothing is lost. Other commands work meanwhile.";

const char runs_cancel_text[] =
    "The process that runs it stops at its next step, with exit code 130; what it has done is kept, and the next\n"
    "`pythia index` goes on from there.";

/* ---- model ---- */

const char model_import_text[] =
    "DIR holds config.json, model.safetensors (or its parts with their index) and tokenizer.json or vocab.txt,\n"
    "and what sentence-transformers keeps beside them.";

const char model_pull_text[] =
    "From Hugging Face, or the hub that HF_ENDPOINT names: the file, or without one the repository's only GGUF, "
    "else\n"
    "its folder of safetensors, which is imported. A download that was cut goes on where it was; every file's\n"
    "length and hash are checked. Files lie in the hub's own cache (HF_HUB_CACHE, HF_HOME), shared with other\n"
    "programs. HF_TOKEN opens private models; HF_HUB_OFFLINE=1 uses the cache alone.";

const char model_distill_text[] =
    "Passes the vocabulary of MODEL (default: model.embed) through it, once, and keeps the principal axes. The\n"
    "table is a model like any other, some hundred times faster and less exact: a text's vector is the sum of\n"
    "its words' vectors, rare words counting more.";

const char model_use_text[] =
    "Sets model.embed, model.rerank, or ask.model (with ask.url = local) in your own configuration, by what the\n"
    "model is. Collections keep the model that they were made with.";

const char model_remove_text[] =
    "Only one that no collection and no setting names, unless --force is given. Of a model that was pulled the\n"
    "link goes; the file stays in the hub's cache, which other programs share.";

const char embed_text[] =
    "With - each line of stdin is {\"id\"?, \"text\", \"kind\"?: \"query\"|\"document\"} and each line of stdout\n"
    "{\"id\"?, \"embedding\": […], \"dimension\", \"tokens\", \"truncated\"}, in the same order. A bad line "
    "gives\n"
    "{\"error\": …} in its place and exit code 9.";

const char rerank_text[] =
    "A cross-encoder reads the query and each text together: slower than vectors, and better. With - each "
    "line of\n"
    "stdin is {\"id\"?, \"text\"} and each line of stdout {\"id\"?, \"index\", \"score\", \"logit\", "
    "\"tokens\",\n"
    "\"truncated\"}, the best first; index counts the texts from 0. `pythia rerank -` reads pairs, {\"id\"?, "
    "\"query\",\n"
    "\"text\"}, and keeps their order. score is 0 to 1, the logistic function of the model's own logit. A bad "
    "line "
    "gives\n"
    "{\"index\", \"error\": …} and exit code 9.";

/* ---- check ---- */

const char feedback_add_text[] = "What was useful for a query becomes a query of `pythia eval init --from feedback`. "
                                 "It is kept on this machine, in\n"
                                 "the store, and changes no ranking.";

const char eval_init_text[] =
    "Writes corpus.jsonl (the collection's chunks), queries.jsonl and qrels.tsv into DIR. Queries are the first "
    "sentences of\n"
    "comments (to find the definition), headings (the section), subjects of git's commits (the files changed), and "
    "what\n"
    "was asked before (the hits that were useful: pythia feedback).\n"
    "What a query was made of is left out of the corpus; one that stands elsewhere, too, is none.";

const char eval_gate_text[] =
    "Compares nDCG@10 with a baseline, query by query. Exit code 10 when it fell beyond noise: by more than "
    "0.002 and\n"
    "improbably by chance (a paired randomisation test, p < 0.05), or by more than 0.05.";

const char bench_embed_text[] =
    "One line of JSON: texts and tokens a second, the milliseconds of a short query, operations a second and the\n"
    "machine's own limit. gops is 0 for networks other than BERT. cpu_texts_per_s counts CPU time, which a busy\n"
    "machine distorts less.";

const char bench_generate_text[] =
    "One line of JSON: tokens read and tokens written a second, the milliseconds to a first token, and "
    "memory. The\n"
    "best token is taken each time, over the model's own end of text, so that every prompt gets as many.";

const char bench_index_text[] =
    "One line of JSON: a run for each kind and effort. Recall is against comparing every vector; qps and\n"
    "milliseconds are those of one query at a time on one thread, build_s of all threads. cpu_us and\n"
    "build_cpu_s are what the threads had of processors, to be compared where the machine is not idle.\n"
    "insert_us and delete_us are of one vector, filtered_us of a query of which a filter leaves one row\n"
    "in a hundred, all three of processor time.";

const char bench_search_text[] =
    "One line of JSON: whole searches in this process, as a program makes them that stays: model and indexes are\n"
    "open, up to a hundred searches came before (warm_up), and no query's vector is known. Milliseconds are those\n"
    "of one query after the other, qps is that of --threads callers at once, each of the best round; mean_ms tells\n"
    "where the time goes, cpu_ms counts processor time, first_ms is the very first search.";

/* ---- serve ---- */

const char serve_text[] =
    "Writes {\"status\":\"ready\",\"http\":URL} when it accepts calls; /docs lists them. The model loads "
    "meanwhile.\n"
    "With --socket or --stdio, HTTP opens only when --http is given too.\n"
    "On this machine alone no token is needed until there is one (pythia token create); on any other address\n"
    "always. SIGTERM ends it in order: what was asked is answered, within ten seconds.";

const char mcp_text[] =
    "Searches the collection that covers this folder, else all. Over HTTP the same is at /mcp of `pythia serve`.";

const char lsp_text[] =
    "The Language Server Protocol. workspace/symbol finds by name and by meaning; documentSymbol, definition\n"
    "and references come from the index of the editor's folder, which `pythia index` or `pythia watch` makes.";

const char health_text[] =
    "Exit code 1, and why, when it is not: what a container's health check wants. Where a certificate is "
    "configured it asks "
    "over HTTPS, and takes none but that for an answer.";
