/* flags.h - the flags of the commands; each list ends with {0}. */
#ifndef PYTHIA_CLI_FLAGS_H
#define PYTHIA_CLI_FLAGS_H

#include "cli/cli.h"

extern const Flag json_flags[];
extern const Flag index_flags[];
extern const Flag add_flags[];
extern const Flag rm_flags[];
extern const Flag watch_flags[];
extern const Flag search_flags[];
extern const Flag ask_flags[];
extern const Flag get_flags[];
extern const Flag symbols_flags[];
extern const Flag why_flags[];
extern const Flag status_flags[];
extern const Flag list_flags[];
extern const Flag remove_flags[];
extern const Flag chats_flags[];
extern const Flag runs_flags[];
extern const Flag import_flags[];
extern const Flag pull_flags[];
extern const Flag distill_flags[];
extern const Flag model_remove_flags[];
extern const Flag embed_flags[];
extern const Flag rerank_flags[];
extern const Flag tokenize_flags[];
extern const Flag eval_flags[];
extern const Flag eval_gate_flags[];
extern const Flag eval_init_flags[];
extern const Flag feedback_add_flags[];
extern const Flag feedback_list_flags[];
extern const Flag feedback_clear_flags[];
extern const Flag bench_embed_flags[];
extern const Flag bench_generate_flags[];
extern const Flag bench_index_flags[];
extern const Flag bench_search_flags[];
extern const Flag config_set_flags[];
extern const Flag serve_flags[];
extern const Flag health_flags[];
extern const Flag token_create_flags[];
extern const Flag help_flags[];

enum {
    SEARCH_ONLY = 4
}; /* so many of search_flags, the first ones, are of searches alone; the others are of `similar`, too */

#endif
