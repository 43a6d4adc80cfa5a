# Finds Debian's MLIR and defines the two helpers that every MLIR folder uses.
find_package(MLIR REQUIRED CONFIG HINTS ${SECTILE_LLVM_PREFIX}/lib/cmake/mlir NO_DEFAULT_PATH)
if(NOT LLVM_VERSION_MAJOR EQUAL 22)
  message(FATAL_ERROR "expects LLVM and MLIR 22, but found ${LLVM_VERSION} in ${SECTILE_LLVM_PREFIX}")
endif()
list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
include(TableGen)
include(AddLLVM)
include(AddMLIR)

include_directories(SYSTEM ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
include_directories(${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
separate_arguments(LLVM_DEFINITIONS_LIST NATIVE_COMMAND ${LLVM_DEFINITIONS})
add_definitions(${LLVM_DEFINITIONS_LIST})

# One precompiled header for everything that includes MLIR: its headers, not our code, are the
# compile time (an Arith-only file takes 4 s without and 0.6 s with it).
add_library(sectile_pch OBJECT ${CMAKE_SOURCE_DIR}/cmake/Pch.cpp)
target_precompile_headers(sectile_pch PRIVATE ${CMAKE_SOURCE_DIR}/cmake/Pch.h)

# Programs link Debian's shared libMLIR and libLLVM, except those with the property SECTILE_STATIC_LLVM:
# they hold what they use of LLVM and of every other library but libc, and run where none is installed.
# The property is read off the program, so that both kinds are made of the same objects.
set(SECTILE_IF_STATIC "$<BOOL:$<TARGET_PROPERTY:SECTILE_STATIC_LLVM>>")
# All archives there are: the linker takes what it needs, and reads no more of the others than their tables.
file(GLOB archives ${SECTILE_LLVM_PREFIX}/lib/libMLIR*.a ${SECTILE_LLVM_PREFIX}/lib/libLLVM*.a)
list(FILTER archives EXCLUDE REGEX "/libMLIRCAPI")
add_library(sectile_llvm_static INTERFACE)
target_link_libraries(sectile_llvm_static INTERFACE ${archives} libz.a libzstd.a dl m)

# sectile_static_llvm(PROGRAM): PROGRAM, an executable, runs without LLVM's packages.
function(sectile_static_llvm program)
  set_target_properties(${program} PROPERTIES SECTILE_STATIC_LLVM ON)
  target_link_options(${program} PRIVATE -static-libstdc++ -static-libgcc -Wl,--gc-sections)
  # lld registers every target, for link-time optimisation; this keeps all but ours out (see there).
  list(REMOVE_ITEM LLVM_TARGETS_TO_BUILD ${SECTILE_CODE_TARGETS})
  list(TRANSFORM LLVM_TARGETS_TO_BUILD REPLACE "(.+)" "ABSENT_TARGET(\\1)" OUTPUT_VARIABLE absent)
  list(JOIN absent "\n" absent)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${program}-targets)
  file(CONFIGURE OUTPUT ${folder}/AbsentTargets.def CONTENT "${absent}\n")
  target_include_directories(${program} PRIVATE ${folder})
  target_sources(${program} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/AbsentTargets.cpp)
endfunction()

# LLVM's targets that the compiler writes code for.
set(SECTILE_CODE_TARGETS AArch64 AMDGPU ARM NVPTX X86)

# sectile_mlir_library(NAME sources... [LINK libs...] [DEPENDS targets...])
function(sectile_mlir_library name)
  cmake_parse_arguments(ARG "" "" "LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_precompile_headers(${name} REUSE_FROM sectile_pch)
  target_link_libraries(${name} PUBLIC ${ARG_LINK}
    "$<IF:${SECTILE_IF_STATIC},sectile_llvm_static,MLIR>" "$<$<NOT:${SECTILE_IF_STATIC}>:LLVM>")
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# sectile_mlir_executable(NAME sources... [LINK libs...])
function(sectile_mlir_executable name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  # The precompiled header holds for one kind of position-independent code.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  target_precompile_headers(${name} REUSE_FROM sectile_pch)
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
endfunction()

# sectile_tablegen(TARGET FILE.td  -gen-x OUT.inc  -gen-y OUT2.inc ...)
function(sectile_tablegen target td)
  set(LLVM_TARGET_DEFINITIONS ${td})
  set(args ${ARGN})
  while(args)
    list(POP_FRONT args mode out)
    separate_arguments(mode_list UNIX_COMMAND "${mode}")
    mlir_tablegen(${out} ${mode_list} EXTRA_INCLUDES ${CMAKE_SOURCE_DIR})
  endwhile()
  add_public_tablegen_target(${target})
endfunction()
