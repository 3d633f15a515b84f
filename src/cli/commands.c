/* commands.c - the command table: every command with its usage, flags and example, once.
 *
 * Parsing, `--help`, completion and the manual are all made from it. Flags that stand for a configuration key take
 * their help and their valid values from the configuration table.
 */
#include <stdint.h>
#include <stdio.h>

#include "cli/flags.h"

const Command commands[] = {
    {.name = "search",
     .group = "find",
     .usage = "QUERY [PATH…]",
     .summary = "ranked hits, by meaning and by words",
     .text = "Searches the collection that covers this folder (or PATH…, or --in). On a terminal each hit shows a few\n"
             "lines around its best line; piped, one line a hit: PATH:LINE:SCORE:FIRST LINE (--color always gives the\n"
             "terminal's form to a pager). Every hit is checked against the live file: fresh, moved, changed or gone.\n"
             "In the query: \"a phrase\" +must -mustnot lang:c kind:function path:src file:*.h sym:NAME in:NAME\n"
             "date>=2026-11; a definition whose exact name is typed comes first. Exit code 1: nothing found.",
     .flags = search_flags,
     .max_args = SIZE_MAX,
     .min_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_search,
     .examples = "pythia search \"retry with exponential backoff\" src -t c -m 5\n"
                 "pythia search \"who closes the socket\" --json | jq -r '.results[].path'\n"
                 "vim -q <(pythia search \"parse a date\" --format vimgrep)"},
    {.name = "ask",
     .group = "find",
     .usage = "QUESTION",
     .summary = "an answer with its sources, or none",
     .text =
         "Quotes the sentences and blocks that answer, word for word, each with its source; with --llm (ask.url) a\n"
         "model writes, and every sentence that does not stand in the sources is left out. When the confidence is\n"
         "below ask.abstain, or nothing of what was written holds, it says so, what was searched and what came\n"
         "nearest: exit code 1. The question takes the operators of a search.",
     .flags = ask_flags,
     .min_args = 1,
     .max_args = SIZE_MAX,
     .needs = NEEDS_CONFIG,
     .run = cmd_ask,
     .examples = "pythia ask how long does backoff wait\npythia ask \"who may cancel a run? path:docs\" --json\n"
                 "pythia ask --llm http://127.0.0.1:11434/v1 --model qwen3 \"what happens when a run is cancelled?\""},
    {.name = "chat start",
     .group = "find",
     .usage = "",
     .summary = "ask in turns",
     .text = "A question a line; each may follow on those before (\"and how long is it?\"). The chat is kept: -s ID "
             "goes on with one.\n"
             "/exit or the end of the input ends it.",
     .flags = ask_flags,
     .needs = NEEDS_CONFIG,
     .is_default = true,
     .run = cmd_chat,
     .examples = "pythia chat\npythia chat -s 3 --llm local --model gemma-3-1b-it"},
    {.name = "chat list",
     .group = "find",
     .usage = "",
     .summary = "chats, the last one first",
     .flags = chats_flags,
     .needs = NEEDS_CONFIG,
     .run = cmd_chat_list,
     .examples = "pythia chat list -m 5"},
    {.name = "chat show",
     .group = "find",
     .usage = "ID",
     .summary = "what was said in a chat",
     .flags = json_flags,
     .min_args = 1,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_chat_show,
     .examples = "pythia chat show 3"},
    {.name = "chat export",
     .group = "find",
     .usage = "ID",
     .summary = "a chat as JSON lines, a message each",
     .flags = json_flags,
     .min_args = 1,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_chat_export,
     .examples = "pythia chat export 3 > chat.jsonl"},
    {.name = "chat rm",
     .group = "find",
     .usage = "ID",
     .summary = "remove a chat",
     .flags = json_flags,
     .min_args = 1,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_chat_remove,
     .examples = "pythia chat rm 3"},
    {.name = "similar",
     .group = "find",
     .usage = "ID | PATH[:LINE]",
     .summary = "what is like a place, by meaning",
     .text = "Nearest neighbours of a hit (its ID), or of what stands at a line of an indexed file, in its collection "
             "or in\n"
             "those that --in names. Exit code 1: nothing found.",
     .flags = search_flags + SEARCH_ONLY,
     .min_args = 1,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_similar,
     .examples = "pythia similar '#k3f9a2'\npythia similar src/net/retry.c:42 -m 5 --min-score 0.5"},
    {.name = "get",
     .group = "find",
     .usage = "ID | PATH[:LINE[:COUNT]] | PATH#SYMBOL …",
     .summary = "print lines, a symbol or a whole document",
     .text = "On a terminal with numbered lines; piped, the bytes as they are.",
     .flags = get_flags,
     .min_args = 1,
     .max_args = SIZE_MAX,
     .needs = NEEDS_CONFIG,
     .run = cmd_get,
     .examples = "pythia get '#k3f9a2'\npythia get src/net/retry.c:42:20"},
    {.name = "symbols",
     .group = "find",
     .usage = "PATH | NAME",
     .summary = "outline of a file; where a name is",
     .text = "A file's functions, classes, constants and keys, or its headings; piped, as "
             "PATH:LINE:KIND:SYMBOL:SIGNATURE.\n"
             "A name may be qualified (Backoff.next, Backoff::next). When nothing has the name, those that begin so "
             "are told.",
     .flags = symbols_flags,
     .min_args = 1,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_symbols,
     .examples = "pythia symbols src/net/retry.c\npythia symbols Backoff.next\npythia symbols backoff_next --refs"},
    {.name = "index",
     .group = "index",
     .usage = "[PATH…]",
     .summary = "create or update a collection",
     .text =
         "Without PATH the folder you stand in. Only what changed is done again: by content, so that renames and "
         "copies\n"
         "cost no embedding. Ctrl-C keeps what is done; the next `pythia index` goes on from there.\n"
         "--background comes back as soon as the words of all files can be searched; `pythia runs` shows how far the\n"
         "rest is, `pythia runs cancel` stops it, and what it says stands in logs/background.log of the data folder.",
     .flags = index_flags,
     .max_args = SIZE_MAX,
     .needs = NEEDS_CONFIG,
     .run = cmd_index,
     .examples = "pythia index\npythia index ~/notes --collection notes\npythia index --dry-run -g '!*.min.js'"},
    {.name = "add",
     .group = "index",
     .usage = "FILE… | -",
     .summary = "put files into a collection of their own",
     .text =
         "A copy of their text is kept, whatever becomes of the files; any format that `index` reads. A document is "
         "what its\n"
         "bytes are: the same again, under whatever name, is known and done at once. - reads stdin and wants --name.\n"
         "Exit code 9: some were refused, and why; nothing of those is kept.",
     .flags = add_flags,
     .min_args = 1,
     .max_args = SIZE_MAX,
     .needs = NEEDS_CONFIG,
     .run = cmd_add,
     .examples = "pythia add report.pdf minutes.docx\n"
                 "curl -s https://example.org/page.html | pythia add --name page.html --collection web -\n"
                 "pythia search \"what was decided\" --in documents"},
    {.name = "rm",
     .group = "index",
     .usage = "NAME…",
     .summary = "take documents out of such a collection",
     .text = "NAME is what the document is called there, or its URI (upload://sha256:…).",
     .flags = rm_flags,
     .min_args = 1,
     .max_args = SIZE_MAX,
     .needs = NEEDS_CONFIG,
     .run = cmd_rm,
     .examples = "pythia rm report.pdf\npythia rm page.html --collection web"},
    {.name = "watch",
     .group = "index",
     .usage = "[PATH…]",
     .summary = "keep collections fresh until stopped",
     .text =
         "Indexes what PATH… belongs to (without PATH the folder you stand in) and then whatever changes: the words\n"
         "of a saved file can be found within a second, its vectors follow. The system tells of changes (inotify);\n"
         "where it cannot, the folders are looked at from time to time, and a line says why. Ctrl-C or SIGTERM ends\n"
         "it; nothing is lost. Other commands work meanwhile.",
     .flags = watch_flags,
     .max_args = SIZE_MAX,
     .needs = NEEDS_CONFIG,
     .run = cmd_watch,
     .examples = "pythia watch\npythia watch ~/notes ~/src/project\npythia watch --all --json"},
    {.name = "status",
     .group = "index",
     .usage = "[COLLECTION]",
     .summary = "what is indexed, pending, skipped, stale",
     .flags = status_flags,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_status,
     .examples = "pythia status\npythia status docs --json"},
    {.name = "why",
     .group = "index",
     .usage = "PATH",
     .summary = "one file's way into the index, or not",
     .text = "Exit code 1: the file is not in the index.",
     .flags = why_flags,
     .min_args = 1,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_why,
     .examples = "pythia why build/config.h"},
    {.name = "runs list",
     .group = "index",
     .usage = "",
     .summary = "ingestion runs, newest first",
     .flags = runs_flags,
     .needs = NEEDS_CONFIG,
     .is_default = true,
     .run = cmd_runs_list,
     .examples = "pythia runs -m 5"},
    {.name = "runs show",
     .group = "index",
     .usage = "ID",
     .summary = "one ingestion run",
     .flags = json_flags,
     .min_args = 1,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_runs_show,
     .examples = "pythia runs show 12 --json"},
    {.name = "runs cancel",
     .group = "index",
     .usage = "ID",
     .summary = "stop an ingestion run",
     .text =
         "The process that runs it stops at its next step, with exit code 130; what it has done is kept, and the next\n"
         "`pythia index` goes on from there.",
     .flags = json_flags,
     .min_args = 1,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_runs_cancel,
     .examples = "pythia runs cancel 12"},
    {.name = "collection list",
     .group = "index",
     .usage = "",
     .summary = "all collections",
     .flags = list_flags,
     .needs = NEEDS_CONFIG,
     .is_default = true,
     .run = cmd_collection_list,
     .examples = "pythia collection list"},
    {.name = "collection show",
     .group = "index",
     .usage = "[NAME]",
     .summary = "one collection: model, store, index, counts",
     .flags = json_flags,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_collection_show,
     .examples = "pythia collection show docs"},
    {.name = "collection rename",
     .group = "index",
     .usage = "FROM TO",
     .summary = "give a collection another name",
     .flags = json_flags,
     .min_args = 2,
     .max_args = 2,
     .needs = NEEDS_CONFIG,
     .run = cmd_collection_rename,
     .examples = "pythia collection rename docs manual"},
    {.name = "collection rm",
     .group = "index",
     .usage = "NAME",
     .summary = "forget a collection (its files stay)",
     .text = "Asks first on a terminal; elsewhere --yes is needed.",
     .flags = remove_flags,
     .min_args = 1,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_collection_remove,
     .examples = "pythia collection rm old --yes"},
    {.name = "model list",
     .group = "model",
     .usage = "",
     .summary = "models at hand",
     .flags = list_flags,
     .needs = NEEDS_CONFIG,
     .is_default = true,
     .run = cmd_model_list,
     .examples = "pythia model list"},
    {.name = "model import",
     .group = "model",
     .usage = "DIR",
     .summary = "turn a Hugging Face folder into a GGUF file",
     .text =
         "DIR holds config.json, model.safetensors (or its parts with their index) and tokenizer.json or vocab.txt,\n"
         "and what sentence-transformers keeps beside them.",
     .flags = import_flags,
     .min_args = 1,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_model_import,
     .examples = "pythia model import ./all-MiniLM-L6-v2 --name all-minilm-l6-v2"},
    {.name = "model pull",
     .group = "model",
     .usage = "ORG/NAME[/FILE][@REVISION]",
     .summary = "get a model from a hub",
     .text =
         "From Hugging Face, or the hub that HF_ENDPOINT names: the file, or without one the repository's only GGUF, "
         "else\n"
         "its folder of safetensors, which is imported. A download that was cut goes on where it was; every file's\n"
         "length and hash are checked. Files lie in the hub's own cache (HF_HUB_CACHE, HF_HOME), shared with other\n"
         "programs. HF_TOKEN opens private models; HF_HUB_OFFLINE=1 uses the cache alone.",
     .flags = pull_flags,
     .min_args = 1,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_model_pull,
     .examples = "pythia model pull sentence-transformers/all-MiniLM-L6-v2\n"
                 "pythia model pull nomic-ai/nomic-embed-text-v1.5-GGUF/nomic-embed-text-v1.5.Q8_0.gguf"},
    {.name = "model distill",
     .group = "model",
     .usage = "[MODEL]",
     .summary = "make a static table of word vectors from a model",
     .text =
         "Passes the vocabulary of MODEL (default: model.embed) through it, once, and keeps the principal axes. The\n"
         "table is a model like any other, some hundred times faster and less exact: a text's vector is the sum of\n"
         "its words' vectors, rare words counting more.",
     .flags = distill_flags,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_model_distill,
     .examples = "pythia model distill all-minilm-l6-v2\n"
                 "pythia model distill all-minilm-l6-v2 --name notes-static --corpus ~/notes"},
    {.name = "model verify",
     .group = "model",
     .usage = "[NAME]",
     .summary = "check a model's file, or all",
     .flags = json_flags,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_model_verify,
     .examples = "pythia model verify all-minilm-l6-v2"},
    {.name = "embed",
     .group = "model",
     .usage = "[TEXT | -]",
     .summary = "vectors of a text or of JSON lines",
     .text =
         "With - each line of stdin is {\"id\"?, \"text\", \"kind\"?: \"query\"|\"document\"} and each line of stdout\n"
         "{\"id\"?, \"embedding\": […], \"dimension\", \"tokens\", \"truncated\"}, in the same order. A bad line "
         "gives\n"
         "{\"error\": …} in its place and exit code 9.",
     .flags = embed_flags,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_embed,
     .examples = "pythia embed \"a text\"\npythia embed - < texts.jsonl > vectors.jsonl"},
    {.name = "tokenize",
     .group = "model",
     .usage = "[TEXT | -]",
     .summary = "token ids of a text or of JSON lines",
     .text = "With - each line of stdin is {\"id\"?, \"text\"} and each line of stdout {\"id\"?, \"ids\": […]}.",
     .flags = tokenize_flags,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_tokenize,
     .examples = "pythia tokenize \"naïve\""},
    {.name = "rerank",
     .group = "model",
     .usage = "QUERY [TEXT… | -]",
     .summary = "texts, the best answer to a query first",
     .text = "A cross-encoder reads the query and each text together: slower than vectors, and better. With - each "
             "line of\n"
             "stdin is {\"id\"?, \"text\"} and each line of stdout {\"id\"?, \"index\", \"score\", \"logit\", "
             "\"tokens\",\n"
             "\"truncated\"}, the best first; index counts the texts from 0. `pythia rerank -` reads pairs, {\"id\"?, "
             "\"query\",\n"
             "\"text\"}, and keeps their order. score is 0 to 1, the logistic function of the model's own logit. A bad "
             "line "
             "gives\n"
             "{\"index\", \"error\": …} and exit code 9.",
     .flags = rerank_flags,
     .min_args = 1,
     .max_args = SIZE_MAX,
     .needs = NEEDS_CONFIG,
     .run = cmd_rerank,
     .examples = "pythia rerank \"who closes the socket\" - < texts.jsonl\n"
                 "pythia rerank \"opening hours\" \"Open 9 to 5\" \"By the river\" --top 1\n"
                 "pythia rerank - < pairs.jsonl"},
    {.name = "eval run",
     .group = "check",
     .usage = "DIR",
     .summary = "retrieval quality on a BEIR folder",
     .text = "DIR holds corpus.jsonl, queries.jsonl and qrels.tsv. JSON when piped or with --json.",
     .flags = eval_flags,
     .min_args = 1,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_eval_run,
     .examples = "pythia eval run ./scifact --mode hybrid --run-file run.trec"},
    {.name = "eval gate",
     .group = "check",
     .usage = "DIR --baseline FILE",
     .summary = "fails when retrieval became worse",
     .text = "Compares nDCG@10 with a baseline, query by query. Exit code 10 when it fell beyond noise: by more than "
             "0.002 and\n"
             "improbably by chance (a paired randomisation test, p < 0.05), or by more than 0.05.",
     .flags = eval_gate_flags,
     .min_args = 1,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_eval_gate,
     .examples = "pythia eval gate ./set --baseline set.json --update\npythia eval gate ./set --baseline set.json"},
    {.name = "bench embed",
     .group = "check",
     .usage = "--input TEXTS.jsonl",
     .summary = "speed of the embedding engine",
     .text =
         "One line of JSON: texts and tokens a second, the milliseconds of a short query, operations a second and the\n"
         "machine's own limit. gops is 0 for networks other than BERT. cpu_texts_per_s counts CPU time, which a busy\n"
         "machine distorts less.",
     .flags = bench_embed_flags,
     .needs = NEEDS_CONFIG,
     .run = cmd_bench_embed,
     .examples = "pythia bench embed --input texts.jsonl --threads 1 --precision fast"},
    {.name = "bench generate",
     .group = "check",
     .usage = "--input PROMPTS.jsonl --model MODEL",
     .summary = "speed of a model that writes",
     .text = "One line of JSON: tokens read and tokens written a second, the milliseconds to a first token, and "
             "memory. The\n"
             "best token is taken each time, over the model's own end of text, so that every prompt gets as many.",
     .flags = bench_generate_flags,
     .needs = NEEDS_CONFIG,
     .run = cmd_bench_generate,
     .examples = "pythia bench generate --input prompts.jsonl --model gemma3-270m --threads 2 --precision fast"},
    {.name = "bench index",
     .group = "check",
     .usage = "--base FILE --queries FILE",
     .summary = "speed and recall of the kinds of index",
     .text = "One line of JSON: a run for each kind and effort. Recall is against comparing every vector; qps and\n"
             "milliseconds are those of one query at a time on one thread, build_s of all threads. cpu_us and\n"
             "build_cpu_s are what the threads had of processors, to be compared where the machine is not idle.\n"
             "insert_us and delete_us are of one vector, filtered_us of a query of which a filter leaves one row\n"
             "in a hundred, all three of processor time.",
     .flags = bench_index_flags,
     .needs = NEEDS_CONFIG,
     .run = cmd_bench_index,
     .examples = "pythia bench index --base chunks.npy --queries questions.npy --kind flat"},
    {.name = "doctor",
     .group = "check",
     .usage = "",
     .summary = "check everything, with next steps",
     .flags = json_flags,
     .needs = NEEDS_CONFIG,
     .run = cmd_doctor,
     .examples = "pythia doctor"},
    {.name = "verify",
     .group = "check",
     .usage = "[COLLECTION]",
     .summary = "check sums of store and index",
     .flags = json_flags,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_verify,
     .examples = "pythia verify"},
    {.name = "config list",
     .group = "setup",
     .usage = "",
     .summary = "every key with its value and where it comes from",
     .flags = json_flags,
     .needs = NEEDS_CONFIG,
     .is_default = true,
     .run = cmd_config_list,
     .examples = "pythia config list"},
    {.name = "config get",
     .group = "setup",
     .usage = "KEY",
     .summary = "one key's value",
     .flags = json_flags,
     .min_args = 1,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_config_get,
     .examples = "pythia config get search.limit"},
    {.name = "config set",
     .group = "setup",
     .usage = "KEY VALUE",
     .summary = "write a key into your configuration file",
     .text = "An empty VALUE removes the key.",
     .flags = config_set_flags,
     .min_args = 2,
     .max_args = 2,
     .needs = NEEDS_HOME,
     .run = cmd_config_set,
     .examples = "pythia config set search.limit 20\npythia config set --project index.max_file_size 4M"},
    {.name = "config path",
     .group = "setup",
     .usage = "",
     .summary = "where configuration and data lie",
     .flags = json_flags,
     .needs = NEEDS_HOME,
     .run = cmd_config_path,
     .examples = "pythia config path"},
    {.name = "config trust",
     .group = "setup",
     .usage = "",
     .summary = "let this project's .pythia.ini set models and URLs too",
     .text = "The trust is for the file's present content; after a change it must be given again.",
     .flags = json_flags,
     .needs = NEEDS_HOME,
     .run = cmd_config_trust,
     .examples = "pythia config trust"},
    {.name = "serve",
     .group = "serve",
     .usage = "",
     .summary = "REST and MCP over HTTP; socket; JSON-RPC",
     .text = "Writes {\"status\":\"ready\",\"http\":URL} when it accepts calls; /docs lists them. The model loads "
             "meanwhile.\n"
             "With --socket or --stdio, HTTP opens only when --http is given too.\n"
             "On this machine alone no token is needed until there is one (pythia token create); on any other address\n"
             "always. SIGTERM ends it in order: what was asked is answered, within ten seconds.",
     .flags = serve_flags,
     .needs = NEEDS_CONFIG,
     .run = cmd_serve,
     .examples = "pythia serve\npythia serve --http 127.0.0.1:9000 --idle-exit 30m\n"
                 "curl -s 'http://127.0.0.1:8080/v1/search?q=retry+with+backoff' | jq -r '.results[].path'"},
    {.name = "mcp",
     .group = "serve",
     .usage = "",
     .summary = "search for agents: MCP on stdin, stdout",
     .text =
         "Searches the collection that covers this folder, else all. Over HTTP the same is at /mcp of `pythia serve`.",
     .needs = NEEDS_CONFIG,
     .run = cmd_mcp,
     .examples = "claude mcp add pythia -- pythia mcp\ncodex mcp add pythia -- pythia mcp"},
    {.name = "lsp",
     .group = "serve",
     .usage = "",
     .summary = "symbols for editors: LSP on stdin, stdout",
     .text = "The Language Server Protocol. workspace/symbol finds by name and by meaning; documentSymbol, definition\n"
             "and references come from the index of the editor's folder, which `pythia index` or `pythia watch` makes.",
     .needs = NEEDS_CONFIG,
     .run = cmd_lsp,
     .examples =
         "vim.lsp.start({cmd = {'pythia', 'lsp'}, root_dir = vim.fs.root(0, '.git')})    (in Neovim's init.lua)"},
    {.name = "health",
     .group = "serve",
     .usage = "",
     .summary = "ask a running server whether it is well",
     .text = "Exit code 1, and why, when it is not: what a container's health check wants.",
     .flags = health_flags,
     .needs = NEEDS_CONFIG,
     .run = cmd_health,
     .examples = "pythia health --http 127.0.0.1:9000"},
    {.name = "token create",
     .group = "serve",
     .usage = "NAME",
     .summary = "make an access token; shown once, kept as a hash",
     .flags = token_create_flags,
     .min_args = 1,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_token_create,
     .examples = "pythia token create ci --role write"},
    {.name = "token list",
     .group = "serve",
     .usage = "",
     .summary = "access tokens, without the tokens",
     .flags = json_flags,
     .needs = NEEDS_CONFIG,
     .is_default = true,
     .run = cmd_token_list,
     .examples = "pythia token list"},
    {.name = "token revoke",
     .group = "serve",
     .usage = "NAME | ID",
     .summary = "no server takes it any more, from now on",
     .flags = json_flags,
     .min_args = 1,
     .max_args = 1,
     .needs = NEEDS_CONFIG,
     .run = cmd_token_revoke,
     .examples = "pythia token revoke ci"},
    {.name = "completion",
     .group = "setup",
     .usage = "bash|zsh|fish",
     .summary = "completion for your shell",
     .min_args = 1,
     .max_args = 1,
     .needs = NEEDS_NOTHING,
     .run = cmd_completion,
     .examples = "pythia completion bash > ~/.local/share/bash-completion/completions/pythia\n"
                 "pythia completion zsh > \"${fpath[1]}/_pythia\"\n"
                 "pythia completion fish > ~/.config/fish/completions/pythia.fish"},
    {.name = "help",
     .group = "setup",
     .usage = "[COMMAND]",
     .summary = "this, or a command's flags and examples",
     .flags = help_flags,
     .max_args = 2,
     .needs = NEEDS_NOTHING,
     .run = cmd_help,
     .examples = "pythia help search"},
    {.name = "version",
     .group = "setup",
     .usage = "",
     .summary = "the version",
     .flags = json_flags,
     .needs = NEEDS_NOTHING,
     .run = cmd_version,
     .examples = "pythia version"},
    {0},
};

_Static_assert(sizeof commands / sizeof *commands <= COMMANDS_MAX, "a family may be as large as the table");

/* "collection list": its first word. */
static Str command_group_word(const Command *c) {
    Str name = str_of(c->name);
    ptrdiff_t space = str_find_char(name, ' ');
    return space < 0 ? name : str_upto(name, (size_t)space);
}

/* "collection list": its second word; empty when there is none. */
static Str command_own_word(const Command *c) { return str_from(str_of(c->name), command_group_word(c).n + 1); }

void command_family(Str word, CommandFamily *out) {
    out->n = 0;
    for (const Command *c = commands; c->name; c++)
        if (str_eq(command_group_word(c), word)) out->members[out->n++] = c;
}

static void names_add(Buf *b, const Str *names, size_t n) {
    for (size_t i = 0; i < n; i++) buf_printf(b, "%s%.*s", i ? ", " : "", STR_FMT(names[i]));
}

static Err command_unknown(const char *word) {
    Str names[COMMANDS_MAX];
    size_t n = 0;
    for (const Command *c = commands; c->name; c++) { /* families stand together in the table */
        Str name = command_group_word(c);
        if (n == 0 || !str_eq(names[n - 1], name)) names[n++] = name;
    }
    Buf text = {0};
    nearest_add(&text, str_of(word), "", names, n);
    buf_add_z(&text, "; valid: ");
    names_add(&text, names, n);
    Err err = err_set(ERR_USAGE, "unknown command '%.200s'%s", word, text.p ? text.p : "");
    buf_free(&text);
    return err_fix(err, "pythia help");
}

/* word NULL: none was given. */
static Err subcommand_unknown(const char *group, const char *word, const CommandFamily *family) {
    Str names[COMMANDS_MAX];
    for (size_t i = 0; i < family->n; i++) names[i] = command_own_word(family->members[i]);
    Buf text = {0};
    if (word) nearest_add(&text, str_of(word), "", names, family->n);
    buf_add_z(&text, "; valid: ");
    names_add(&text, names, family->n);
    const char *rest = text.p ? text.p : "";
    Err err = word ? err_set(ERR_USAGE, "unknown subcommand '%.200s' of 'pythia %s'%s", word, group, rest)
                   : err_set(ERR_USAGE, "'pythia %s' needs a subcommand%s", group, rest);
    buf_free(&text);
    return err_fix(err, "pythia help %s", group);
}

Err command_find(char **words, size_t n, const Command **out, size_t *used) {
    CommandFamily family;
    command_family(str_of(words[0]), &family);
    if (family.n == 0) return command_unknown(words[0]);
    *used = 1;
    *out = family.members[0];
    if (str_is(str_of(words[0]), family.members[0]->name)) return ERR_OK;
    const Command *fallback = NULL;
    for (size_t i = 0; i < family.n; i++) {
        if (family.members[i]->is_default) fallback = family.members[i];
        if (n > 1 && str_eq(str_of(words[1]), command_own_word(family.members[i]))) {
            *out = family.members[i];
            *used = 2;
            return ERR_OK;
        }
    }
    bool bare = n == 1 || words[1][0] == '-';
    bool help = bare && n > 1 && (str_is(str_of(words[1]), "--help") || str_is(str_of(words[1]), "-h"));
    if (fallback) *out = fallback;
    return (bare && fallback) || help ? ERR_OK : subcommand_unknown(words[0], bare ? NULL : words[1], &family);
}
