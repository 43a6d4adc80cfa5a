# Needs CMake 3.18.
#
# sectile_compile(TARGET NAME MODEL FILE
#                 [DIMS NAME=N ...] [ALIASES IN:OUT[,DIM=CAPACITY] ...] [CPU_LEVELS LEVEL ...]
#                 [FP MODE] [OUTPUT FILE] [DEPENDS FILE ...])
#
# Compiles an .onnx or .mlir model when the project is built, and again when the model, the files in
# DEPENDS (external weights) or the compiler change. The package goes to OUTPUT, NAME.stp in the
# current binary folder by default.
#
# Programs that link NAME get Sectile::runtime and a header <NAME.h>, which defines
#   NAME_PACKAGE       the package's path in the build tree
#   NAME_PACKAGE_NAME  its file name, for programs that are installed beside it
# (NAME in upper case, with _ for what C does not allow). The path is also NAME's target property
# SECTILE_PACKAGE: install(FILES $<TARGET_PROPERTY:NAME,SECTILE_PACKAGE> ...).
function(sectile_compile)
  cmake_parse_arguments(PARSE_ARGV 0 ARG "" "TARGET;MODEL;FP;OUTPUT" "DIMS;ALIASES;CPU_LEVELS;DEPENDS")
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "sectile_compile: unknown arguments: ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(ARG_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "sectile_compile: expects values for ${ARG_KEYWORDS_MISSING_VALUES}")
  endif()
  if(NOT ARG_TARGET OR NOT ARG_MODEL)
    message(FATAL_ERROR "sectile_compile: expects TARGET NAME and MODEL FILE")
  endif()
  if(NOT SECTILE_COMPILER)
    message(FATAL_ERROR "sectile_compile: the compiler is not installed; set SECTILE_COMPILER to the "
      "'sectile' program")
  endif()
  set(output ${ARG_OUTPUT})
  if(NOT output)
    set(output ${ARG_TARGET}.stp)
  endif()
  get_filename_component(output ${output} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_BINARY_DIR})
  get_filename_component(model ${ARG_MODEL} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_SOURCE_DIR})

  set(options)
  foreach(pair dims:DIMS cpu-levels:CPU_LEVELS)
    string(REPLACE ":" ";" pair ${pair})
    list(GET pair 0 option)
    list(GET pair 1 argument)
    if(ARG_${argument})
      list(JOIN ARG_${argument} "," values)
      list(APPEND options --${option}=${values})
    endif()
  endforeach()
  foreach(alias ${ARG_ALIASES})
    list(APPEND options --alias=${alias})
  endforeach()
  if(ARG_FP)
    list(APPEND options --fp=${ARG_FP})
  endif()

  add_custom_command(OUTPUT ${output}
    COMMAND ${SECTILE_COMPILER} compile ${model} -o ${output} --quiet ${options}
    DEPENDS ${model} ${ARG_DEPENDS} ${SECTILE_COMPILER}
    COMMENT "Compiling ${ARG_MODEL}"
    VERBATIM)
  add_custom_target(${ARG_TARGET}-package ALL DEPENDS ${output})

  string(MAKE_C_IDENTIFIER ${ARG_TARGET} identifier)
  string(TOUPPER ${identifier} identifier)
  get_filename_component(name ${output} NAME)
  set(include ${CMAKE_CURRENT_BINARY_DIR}/${ARG_TARGET}-include)
  set(header "#ifndef ${identifier}_PACKAGE\n#define ${identifier}_PACKAGE \"${output}\"\n")
  string(APPEND header "#define ${identifier}_PACKAGE_NAME \"${name}\"\n#endif\n")
  file(CONFIGURE OUTPUT ${include}/${ARG_TARGET}.h CONTENT "${header}" @ONLY)

  add_library(${ARG_TARGET} INTERFACE)
  add_dependencies(${ARG_TARGET} ${ARG_TARGET}-package)
  target_include_directories(${ARG_TARGET} INTERFACE ${include})
  target_link_libraries(${ARG_TARGET} INTERFACE Sectile::runtime)
  set_target_properties(${ARG_TARGET} PROPERTIES SECTILE_PACKAGE ${output})
endfunction()
