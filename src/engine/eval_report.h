/* eval_report.h - the figures of a run, out of what each query found. Written as a file and read back they are the
 * same. */
#ifndef PYTHIA_ENGINE_EVAL_REPORT_H
#define PYTHIA_ENGINE_EVAL_REPORT_H

#include "engine/pythia.h"

/* The means and medians over r->each, [r->queries]. ERR_NOMEM. */
MUST_USE Err eval_report_sum(Arena *a, EvalReport *r);

#endif
