/* progress.h - how far a long command is: a bar on a terminal, plain or JSON lines elsewhere, on stderr.
 *
 * Threads: one; the engine calls progress_show from the thread that called it.
 */
#ifndef PYTHIA_CLI_PROGRESS_H
#define PYTHIA_CLI_PROGRESS_H

#include "cli/cli.h"

typedef enum { PROGRESS_NONE, PROGRESS_BAR, PROGRESS_PLAIN, PROGRESS_JSON } ProgressForm;

typedef struct {
    ProgressForm form;
    const Term *term;
    bool drawn;     /* a bar stands on the screen */
    bool patient;   /* plain lines only after a while: nobody asked for them */
    char stage[16]; /* of the last call */
    int64_t opened_ns, shown_ns;
    int64_t sample_ns, sample_done;
    double rate;                       /* units a second, smoothed; 0: not known yet */
    int64_t files, embedded, to_embed; /* as last told, for the interrupt's message */
} Progress;

/* Reads the configuration's ui.progress. */
void progress_open(Progress *p, Cli *cli);
/* An IndexProgressFn; ctx is the Progress. */
void progress_show(void *ctx, const IndexProgress *progress);
/* Takes the bar off the screen. */
void progress_close(Progress *p);

#endif
