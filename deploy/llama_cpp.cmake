# Read by llama-cpp-python's build through CMAKE_PROJECT_llama_cpp_INCLUDE. A normal variable is stronger than the
# cache entry that build forces: it leaves out llama.cpp's command-line library, a third of the compilation.
set(LLAMA_BUILD_COMMON OFF)
