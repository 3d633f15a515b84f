# Kernel files are compiled once per instruction set; the table in kern.c chooses at start. Optimised in every preset
# (a debug build of them would be 30 times slower), with contraction of a * b + c allowed in these files alone. No
# -ffast-math, which would turn denormals off for the whole process, and no -fassociative-math: kern.h promises that a
# row's result does not depend on its company, so the order of sums is the source's.
set(KERN_MATH -O3 -fno-trapping-math -ffp-contract=fast)
set(KERN_scalar)
set(KERN_avx2)
set(KERN_avx512)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(KERN_avx2 -mavx2 -mfma -mf16c)
  set(KERN_avx512 -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512)
endif()
if(TARGET pythia_kern)
  foreach(level scalar avx2 avx512)
    set_source_files_properties(${CMAKE_SOURCE_DIR}/src/kern/kern_${level}.c TARGET_DIRECTORY pythia_kern
                                PROPERTIES COMPILE_OPTIONS "${KERN_MATH};${KERN_${level}}"
                                           OBJECT_DEPENDS ${CMAKE_SOURCE_DIR}/src/kern/kern_body.h)
  endforeach()
endif()
