# Cross-compiles for 64-bit ARM with Debian's gcc, against the libraries that `tools/setup.sh arm-sysroot` unpacks, and runs
# the tests under qemu's user mode. Used by the preset `aarch64`:
#
#   cmake --preset aarch64 && cmake --build build-aarch64 && ctest --test-dir build-aarch64
#
# QEMU_CPU in the tests' environment chooses the CPU (default: max, which has every instruction that qemu knows).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)

set(PYTHIA_AARCH64_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../.setup/aarch64 CACHE PATH "root of an aarch64 Debian's libraries")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES PYTHIA_AARCH64_SYSROOT)
get_filename_component(CMAKE_SYSROOT ${PYTHIA_AARCH64_SYSROOT} ABSOLUTE)
if(NOT EXISTS ${CMAKE_SYSROOT}/usr/lib/aarch64-linux-gnu/libc.so)
  message(FATAL_ERROR "no aarch64 libraries in '${CMAKE_SYSROOT}'; run: tools/setup.sh arm-sysroot")
endif()

set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L ${CMAKE_SYSROOT})

# Programs are this machine's, everything else is the target's.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${CMAKE_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${CMAKE_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${CMAKE_SYSROOT}/usr/share/pkgconfig)
