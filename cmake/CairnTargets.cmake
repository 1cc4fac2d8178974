# The options of a build and the two functions by which every folder declares its targets.
include(CMakeParseArguments)

option(CAIRN_TESTS "build tests/" ON)
option(CAIRN_BENCH "build bench/" ON)
option(CAIRN_ASAN "AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
option(CAIRN_TSAN "ThreadSanitizer" OFF)
option(CAIRN_FUZZ "libFuzzer targets (clang only)" OFF)
set(CAIRN_SABOTAGE "" CACHE STRING
    "tests only: leave out one safety (checksum, pin, deadline); the suite must then fail")

find_program(CAIRN_CCACHE ccache)
if(CAIRN_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CAIRN_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CAIRN_CCACHE})
endif()
find_program(CAIRN_MOLD mold)
if(CAIRN_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

if(CAIRN_ASAN)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(CAIRN_TSAN)
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
endif()
if(CAIRN_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
string(TOUPPER "${CAIRN_SABOTAGE}" cairn_sabotage_upper)

add_library(cairn_warnings INTERFACE)
target_compile_options(cairn_warnings INTERFACE
  -Wall -Wextra -Werror
  -Wno-missing-field-initializers  # Designated initialisers leave the rest to its default.
  $<$<COMPILE_LANGUAGE:CXX>:-Wshadow -Wnon-virtual-dtor>)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  target_compile_options(cairn_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wthread-safety>)
endif()

# cairn_library(NAME SOURCES a.cc ... DEPS target ... [PRIVATE_DEPS target ...]): the static library of
# one folder. Headers are included by their path from the repository's root. PRIVATE_DEPS: what only
# the .cc files include.
function(cairn_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${arg_DEPS} PRIVATE cairn_warnings ${arg_PRIVATE_DEPS})
  if(CAIRN_SABOTAGE AND name MATCHES "^cairn_(cache|client|node)")  # The rest is the same, and cached.
    target_compile_definitions(${name} PRIVATE CAIRN_SABOTAGE_${cairn_sabotage_upper})
  endif()
endfunction()

# One target per layer of tests builds its programs and no more: under a sanitizer the rest would cost
# minutes.
foreach(layer unit sim process netns fuzz)
  add_custom_target(cairn_layer_${layer})
endforeach()

# cairn_test(NAME LAYER layer SOURCES a_test.cc ... DEPS target ... [TIMEOUT seconds] [SERIAL]):
# a GoogleTest program, run by ctest as one test with the label `layer`
# (unit, sim, process, netns). SERIAL: never beside another test.
function(cairn_test name)
  cmake_parse_arguments(arg "SERIAL" "LAYER;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_DEPS} cairn_warnings GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS ${arg_LAYER} TIMEOUT ${arg_TIMEOUT}
                       SKIP_RETURN_CODE 77 RUN_SERIAL ${arg_SERIAL})
  add_dependencies(cairn_layer_${arg_LAYER} ${name})
endfunction()

# cairn_fuzzer(NAME SOURCES a_fuzzer.cc ... DEPS target ... CORPUS folder): a libFuzzer program and
# its seeds, built with CAIRN_FUZZ only. `./dev test` runs each shortly, `./dev fuzz NAME` for long.
function(cairn_fuzzer name)
  if(NOT CAIRN_FUZZ)
    return()
  endif()
  cmake_parse_arguments(arg "" "CORPUS" "SOURCES;DEPS" ${ARGN})
  get_filename_component(corpus ${arg_CORPUS} ABSOLUTE)
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_DEPS} cairn_warnings)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  add_test(NAME ${name} COMMAND ${name} ${corpus})
  set_tests_properties(${name} PROPERTIES LABELS fuzz)
  add_dependencies(cairn_layer_fuzz ${name})
endfunction()
