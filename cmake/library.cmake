# libpythia, shared and static: src/lib/pythia.h is all that either exports. The static one is a single object in which every other
# name is local, so that no name of a program can meet one of ours; the objects in it are those that pythia.h reaches.
include(GNUInstallDirs)

set(library_rooms lib serve engine answer search store chunk ingest index model kern base)
set(library_calls pythia_version pythia_start pythia_stop pythia_put pythia_find pythia_found_free pythia_vectors pythia_call
                  pythia_free)

add_library(libpythia SHARED src/lib/pythia.c)
target_include_directories(libpythia PRIVATE src)
target_link_libraries(libpythia PRIVATE pythia_serve pythia_engine pythia_base)
set_target_properties(libpythia PROPERTIES OUTPUT_NAME pythia VERSION ${PROJECT_VERSION} SOVERSION 0
                                           LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
target_link_options(libpythia PRIVATE -Wl,--no-undefined -Wl,--exclude-libs,ALL)
if(PYTHIA_SANITIZE OR PYTHIA_FUZZ)
  set_target_properties(libpythia PROPERTIES EXCLUDE_FROM_ALL TRUE) # a sanitizer belongs to a program
  return()
endif()

set(roots)
set(kept)
foreach(call ${library_calls})
  list(APPEND roots -Wl,-u,${call})
  list(APPEND kept --keep-global-symbol=${call})
endforeach()
set(archives)
set(archive_targets)
foreach(r ${library_rooms})
  list(APPEND archives $<TARGET_FILE:pythia_${r}>)
  list(APPEND archive_targets pythia_${r})
endforeach()
find_program(OBJCOPY NAMES ${CMAKE_OBJCOPY} objcopy REQUIRED)
set(static_library ${CMAKE_BINARY_DIR}/libpythia.a)
add_custom_command(
  OUTPUT ${static_library}
  COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o libpythia.o ${roots} -Wl,--start-group ${archives} $<TARGET_FILE:pythia_grammars>
          -Wl,--end-group
  COMMAND ${OBJCOPY} ${kept} --strip-debug libpythia.o
  COMMAND ${CMAKE_COMMAND} -E rm -f ${static_library}
  COMMAND ${CMAKE_AR} rcs ${static_library} libpythia.o
  COMMAND ${CMAKE_COMMAND} -E rm -f libpythia.o
  DEPENDS ${archive_targets} pythia_grammars
  WORKING_DIRECTORY ${CMAKE_BINARY_DIR}
  VERBATIM)
add_custom_target(libpythia_static ALL DEPENDS ${static_library})

file(RELATIVE_PATH pc_to_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/pythia.pc.in ${CMAKE_BINARY_DIR}/pythia.pc @ONLY)
install(TARGETS pythia RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS libpythia LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${static_library} DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES src/lib/pythia.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_BINARY_DIR}/pythia.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
