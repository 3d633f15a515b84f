# Kernel files are compiled once per instruction set; the table in kern.c chooses at start. Relaxed floating point is
# allowed in these files alone, and without -ffast-math, which would turn denormals off for the whole process.
set(KERN_MATH -O3 -fassociative-math -fno-signed-zeros -fno-trapping-math -ffp-contract=fast)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(KERN_avx2 -mavx2 -mfma -mf16c)
  set(KERN_avx512 -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512)
endif()
