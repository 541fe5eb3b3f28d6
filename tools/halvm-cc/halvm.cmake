# SPDX-License-Identifier: BSD-3-Clause
# cmake -DCMAKE_TOOLCHAIN_FILE=$(halvm-config --cmake)
# No cross compiling in CMake's sense: what is built runs on this machine, so
# its test programs run, too.
get_filename_component(HALVM_BIN "${CMAKE_CURRENT_LIST_DIR}/../../bin" REALPATH)
set(CMAKE_C_COMPILER "${HALVM_BIN}/halvm-cc")
set(CMAKE_CXX_COMPILER "${HALVM_BIN}/halvm-c++")
set(CMAKE_ASM_COMPILER "${HALVM_BIN}/halvm-cc")
set(CMAKE_FIND_LIBRARY_SUFFIXES ".a")
set(BUILD_SHARED_LIBS OFF CACHE BOOL "HaLVM programs are static")
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
