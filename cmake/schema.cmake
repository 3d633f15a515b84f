# src/store/schema.sql as a C string, made at configure time and compiled into the store. One literal a line, joined by the
# compiler; comments stay behind.
set(schema_source ${CMAKE_SOURCE_DIR}/src/store/schema.sql)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${schema_source})
file(READ ${schema_source} schema_text)
string(REGEX REPLACE "[ ]*--[^\n]*" "" schema_text "${schema_text}")
string(REGEX REPLACE "\n\n+" "\n" schema_text "${schema_text}")
string(REGEX REPLACE "^\n" "" schema_text "${schema_text}")
string(REPLACE "\\" "\\\\" schema_text "${schema_text}")
string(REPLACE "\"" "\\\"" schema_text "${schema_text}")
string(REGEX REPLACE "([^\n]+)\n" "    \"\\1\\\\n\"\n" schema_text "${schema_text}")
set(schema_c ${CMAKE_BINARY_DIR}/generated/schema_sql.c)
file(CONFIGURE OUTPUT ${schema_c} @ONLY CONTENT
"/* Made from src/store/schema.sql. */
#include \"store/local.h\"

const char local_schema_sql[] =
@schema_text@    \"\";
")
if(TARGET pythia_store)
  target_sources(pythia_store PRIVATE ${schema_c})
endif()
