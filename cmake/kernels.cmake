# Kernel files are compiled once per instruction set; the table in kern.c chooses at start. Optimised in every preset
# (a debug build of them would be 30 times slower), with contraction of a * b + c allowed in these files alone. No
# -ffast-math, which would turn denormals off for the whole process, and no -fassociative-math: kern.h promises that a
# row's result does not depend on its company, so the order of sums is the source's.
set(KERN_MATH -O3 -fno-trapping-math -ffp-contract=fast)
# Products of quantised blocks give the same bits at every level: no contraction there (src/kern/quant.h).
set(QUANT_MATH -O3 -fno-trapping-math -ffp-contract=off)
set(KERN_scalar)
set(KERN_avx2)
set(KERN_avxvnni)
set(KERN_avx512)
set(KERN_avx512vnni)
set(KERN_avx512bf16)
set(KERN_neon)
set(KERN_neondotprod)
set(KERN_neonbf16)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(KERN_avx2 -mavx2 -mfma -mf16c)
  set(KERN_avx512 -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512)
  set(KERN_avxvnni ${KERN_avx2} -mavxvnni)
  set(KERN_avx512vnni ${KERN_avx512} -mavx512vnni)
  set(KERN_avx512bf16 ${KERN_avx512vnni} -mavx512bf16)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  if(CMAKE_C_COMPILER_ID STREQUAL GNU)
    # gcc for ARM loads a tile's inputs long before they are used, and spills 5 of 24 sums for it; the CPU looks ahead itself.
    set(KERN_neon -fno-schedule-insns)
  endif()
  set(KERN_neondotprod ${KERN_neon} -march=armv8.2-a+dotprod)
  set(KERN_neonbf16 ${KERN_neon} -march=armv8.2-a+dotprod+i8mm+bf16)
endif()
if(TARGET pythia_kern)
  set(KERN_HEADERS)
  foreach(header kern_body.h kern_trunk_body.h low_body.h low_tile.h low_tile_avx2.h low_tile_avx512.h low_tile_neon.h
          low_attention_bf16.h low_attention_avx512.h low_attention_neon.h)
    list(APPEND KERN_HEADERS ${CMAKE_SOURCE_DIR}/src/kern/${header})
  endforeach()
  foreach(level scalar avx2 avxvnni avx512 avx512vnni avx512bf16 neon neondotprod neonbf16)
    set_source_files_properties(${CMAKE_SOURCE_DIR}/src/kern/kern_${level}.c TARGET_DIRECTORY pythia_kern
                                PROPERTIES COMPILE_OPTIONS "${KERN_MATH};${KERN_${level}}"
                                           OBJECT_DEPENDS "${KERN_HEADERS}")
  endforeach()
  set_source_files_properties(${CMAKE_SOURCE_DIR}/src/kern/quant.c TARGET_DIRECTORY pythia_kern
                              PROPERTIES COMPILE_OPTIONS -O3) # the search through all of a file's scales
  set(QUANT_HEADERS)
  foreach(header quant_impl.h quant_unpack.h quant_body.h quant_dots.h quant_dots_plain.h quant_neon.h quant_panel.h quant_panel_walk.h
          quant_avx2.h quant_panel_avx2.h quant_avx512.h quant_panel_avx512.h quant_tile_avx512.h)
    list(APPEND QUANT_HEADERS ${CMAKE_SOURCE_DIR}/src/kern/${header})
  endforeach()
  # Unrolled loops with a check at each load take minutes and a gigabyte to compile: of these files only the definition is
  # instrumented; that the others keep inside their bounds is tested with pages that may not be touched (test_quant.c).
  set(QUANT_scalar)
  foreach(level avx2 avxvnni avx512vnni)
    set(QUANT_${level})
    if(PYTHIA_SANITIZE OR PYTHIA_FUZZ)
      set(QUANT_${level} -fno-sanitize=all)
    endif()
  endforeach()
  foreach(level scalar avx2 avxvnni avx512vnni neon neondotprod neonbf16)
    set_source_files_properties(${CMAKE_SOURCE_DIR}/src/kern/quant_${level}.c TARGET_DIRECTORY pythia_kern
                                PROPERTIES COMPILE_OPTIONS "${QUANT_MATH};${KERN_${level}};${QUANT_${level}}"
                                           OBJECT_DEPENDS "${QUANT_HEADERS}")
  endforeach()
  # The indexes' loops (src/kern/scan.h): the same bits at every level too.
  set(SCAN_scalar)
  set(SCAN_avx2 ${KERN_avx2})
  set(SCAN_avx512)
  set(SCAN_avx512vbmi)
  if(KERN_avx512)
    set(SCAN_avx512 ${KERN_avx512} -mbmi2)
    set(SCAN_avx512vbmi ${KERN_avx512vnni} -mavx512vbmi -mbmi2)
  endif()
  set(SCAN_neon)
  foreach(level scalar avx2 avx512 avx512vbmi neon)
    set_source_files_properties(${CMAKE_SOURCE_DIR}/src/kern/scan_${level}.c TARGET_DIRECTORY pythia_kern
                                PROPERTIES COMPILE_OPTIONS "${QUANT_MATH};${SCAN_${level}}"
                                           OBJECT_DEPENDS "${CMAKE_SOURCE_DIR}/src/kern/scan_avx512_body.h")
  endforeach()
endif()
