# web/page.{html,css,js} as C strings, made at configure time and compiled into serve (src/serve/page.c puts them together). One
# literal a line, joined by the compiler; empty lines stay behind.
set(page_texts "")
foreach(part html css js)
  set(page_source ${CMAKE_SOURCE_DIR}/web/page.${part})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${page_source})
  file(READ ${page_source} page_text)
  string(REGEX REPLACE "\n\n+" "\n" page_text "${page_text}")
  string(REPLACE "\\" "\\\\" page_text "${page_text}")
  string(REPLACE "\"" "\\\"" page_text "${page_text}")
  string(REGEX REPLACE "([^\n]+)\n" "    \"\\1\\\\n\"\n" page_text "${page_text}")
  string(APPEND page_texts "\nconst char page_${part}[] =\n${page_text}    \"\";\n")
endforeach()
set(page_c ${CMAKE_BINARY_DIR}/generated/page_texts.c)
file(CONFIGURE OUTPUT ${page_c} @ONLY CONTENT
"/* Made from web/page.html, page.css and page.js. */
#include \"serve/page.h\"
@page_texts@")
if(TARGET pythia_serve)
  target_sources(pythia_serve PRIVATE ${page_c})
endif()
