/* command_texts.h - what `pythia help COMMAND` says of commands beyond their summary, for the table in commands.c. */
#ifndef PYTHIA_CLI_COMMAND_TEXTS_H
#define PYTHIA_CLI_COMMAND_TEXTS_H

extern const char search_text[];
extern const char ask_text[];
extern const char chat_start_text[];
extern const char similar_text[];
extern const char symbols_text[];
extern const char index_text[];
extern const char add_text[];
extern const char watch_text[];
extern const char runs_cancel_text[];
extern const char model_import_text[];
extern const char model_pull_text[];
extern const char model_distill_text[];
extern const char model_use_text[], model_remove_text[];
extern const char embed_text[];
extern const char rerank_text[];
extern const char feedback_add_text[];
extern const char eval_init_text[];
extern const char eval_gate_text[];
extern const char bench_embed_text[];
extern const char bench_generate_text[];
extern const char bench_index_text[];
extern const char bench_search_text[];
extern const char serve_text[];
extern const char mcp_text[];
extern const char lsp_text[];
extern const char health_text[];

#endif
