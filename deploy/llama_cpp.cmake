# Read by llama-cpp-python's build through CMAKE_PROJECT_llama_cpp_INCLUDE. A normal variable is stronger than the
# cache entry that build forces: it leaves out llama.cpp's command-line library, a third of the compilation.
set(LLAMA_BUILD_COMMON OFF)

# GCC's _tile_loadconfig tells the compiler of 8 of the 64 bytes that the instruction reads, so the rest may not have
# been written yet: on a processor with AMX the first product of two matrices ends the process. Seen with GCC 12, which
# is Debian 12's. llama.cpp uses AMX where the compiler says there is any.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND NOT MSVC)
  add_compile_options(-mno-amx-tile -mno-amx-int8 -mno-amx-bf16)
endif()
