# The tree-sitter runtime and the grammars, from the C sources that tools/setup.sh keeps in .setup/grammars: one static
# library. Their code is not ours: no warnings, no debug information. Parsers are tables and one large switch, where -O2 costs
# minutes and gains nothing measurable; the runtime and the scanners are small loops and get it.
#
# Under the sanitizers and in the fuzz preset the runtime and the scanners are instrumented, the parsers are not: they only
# read constants of their own, and with a check at each of their states they take minutes and gigabytes to compile.
set(GRAMMARS_DIR ${CMAKE_SOURCE_DIR}/.setup/grammars)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/third_party/grammars/package-lock.json)
execute_process(COMMAND ${CMAKE_SOURCE_DIR}/tools/setup.sh grammars RESULT_VARIABLE grammars_missing)
if(grammars_missing)
  message(FATAL_ERROR "the grammars' sources are missing; run: tools/setup.sh grammars")
endif()

# Folders under .setup/grammars that have src/parser.c.
set(GRAMMARS bash c c-sharp cpp css go html java javascript json kotlin lua php/php python ruby rust sql toml
    typescript/tsx typescript/typescript yaml)

set(grammar_parsers)
set(grammar_loops ${GRAMMARS_DIR}/tree-sitter/lib/src/lib.c)
set_source_files_properties(${grammar_loops} PROPERTIES INCLUDE_DIRECTORIES
                            "${GRAMMARS_DIR}/tree-sitter/lib/include;${GRAMMARS_DIR}/tree-sitter/lib/src")
foreach(grammar ${GRAMMARS})
  set(source ${GRAMMARS_DIR}/tree-sitter-${grammar}/src)
  list(APPEND grammar_parsers ${source}/parser.c)
  if(EXISTS ${source}/scanner.c)
    list(APPEND grammar_loops ${source}/scanner.c)
    # Each has a tree_sitter/parser.h of its own version, which a scanner in common/ does not find by itself.
    set_source_files_properties(${source}/scanner.c PROPERTIES INCLUDE_DIRECTORIES ${source})
  endif()
endforeach()

# COMPILE_OPTIONS replaces what the project's own files get, sanitizers included.
set(GRAMMAR_OPTIONS -w -g0 -fvisibility=hidden -fno-math-errno)
add_library(grammar_parsers OBJECT ${grammar_parsers})
set_target_properties(grammar_parsers PROPERTIES COMPILE_OPTIONS "${GRAMMAR_OPTIONS};-O1")
add_library(grammar_loops OBJECT ${grammar_loops})
set(loop_options ${GRAMMAR_OPTIONS} -O2)
if(PYTHIA_SANITIZE)
  list(APPEND loop_options -fsanitize=${PYTHIA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
endif()
if(PYTHIA_FUZZ)
  list(APPEND loop_options -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
endif()
set_target_properties(grammar_loops PROPERTIES COMPILE_OPTIONS "${loop_options}")
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/chunk/grammar_yaml.c PROPERTIES INCLUDE_DIRECTORIES
                            ${GRAMMARS_DIR}/tree-sitter-yaml/src)
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/chunk/grammar_sql.c PROPERTIES INCLUDE_DIRECTORIES
                            ${GRAMMARS_DIR}/tree-sitter-sql/src)
add_library(pythia_grammars STATIC $<TARGET_OBJECTS:grammar_parsers> $<TARGET_OBJECTS:grammar_loops>)
target_include_directories(pythia_grammars INTERFACE ${GRAMMARS_DIR}/tree-sitter/lib/include)
set_target_properties(pythia_grammars PROPERTIES LINKER_LANGUAGE C)

# Work trees of one clone share what ccache has of these.
if(CMAKE_C_COMPILER_LAUNCHER MATCHES "ccache")
  set_target_properties(grammar_parsers grammar_loops PROPERTIES C_COMPILER_LAUNCHER
    "${CMAKE_COMMAND};-E;env;CCACHE_BASEDIR=${CMAKE_SOURCE_DIR};CCACHE_NOHASHDIR=1;${CMAKE_C_COMPILER_LAUNCHER}")
endif()
