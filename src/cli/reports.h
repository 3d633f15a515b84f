/* reports.h - what a check found, a line a finding. */
#ifndef PYTHIA_CLI_REPORTS_H
#define PYTHIA_CLI_REPORTS_H

#include "cli/cli.h"

/* Text as it is; in JSON {"status", "error"?, "report": [lines]}. err is how the check ended. */
void report_show(Cli *cli, Err err, Str report);

#endif
