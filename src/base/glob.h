/* glob.h - wildmatch as git has it: '*' and '?' do not cross '/', "**" does, "[a-z]", "[!x]", "[[:alpha:]]", '\'
 * escapes. Iterative with bounded backtracking: cost is at most |pattern| * |text| steps for hostile patterns too. */
#ifndef PYTHIA_BASE_GLOB_H
#define PYTHIA_BASE_GLOB_H

#include "base/str.h"

/* True when the whole text matches. Source: git's documentation of gitignore patterns; tested against git itself. */
bool glob_match(Str pattern, Str text);

/* As a user means it in `--glob`: without '/' it matches the base name at any depth, with one the whole relative path
 * or any leading folder of it. */
bool glob_match_path(Str pattern, Str path);

#endif
