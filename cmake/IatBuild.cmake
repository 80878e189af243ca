# iat_library, iat_executable and iat_test: one call declares a target, what it
# is made of and what it may use.

find_program(IAT_CCACHE ccache)
if(IAT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${IAT_CCACHE})
  # A precompiled header hides the time macros and the includes behind it from
  # ccache's direct mode unless it is told that this is fine.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${IAT_CCACHE})
endif()

add_library(iat_warnings INTERFACE)
target_compile_options(iat_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  -Wno-sign-compare $<$<BOOL:${IAT_WERROR}>:-Werror>
  # GCC's flow analysis sees overruns in Eigen's vectors that are not there, and
  # which ones depends on its version.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-error=array-bounds>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-error=stringop-overflow>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-free-nonheap-object>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-error=maybe-uninitialized>)
# GCC collects its garbage every 128 MB, a tenth of the time for sources heavy with
# templates; at 1 GB hardly ever.
if(IAT_UNITY)
  target_compile_options(iat_warnings INTERFACE
    "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:SHELL:--param ggc-min-heapsize=1000000>")
endif()

set(iat_march ${IAT_PROCESSOR})
if(iat_march STREQUAL portable)
  # AVX2 and FMA: Intel since Haswell, AMD since Excavator.
  set(iat_march "")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
    set(iat_march x86-64-v3)
  endif()
endif()
if(iat_march)
  set(iat_march -march=${iat_march})
endif()

# Everything that changes code generation sits here, so that all targets agree
# (Eigen's alignment depends on it) and can share one precompiled header.
add_library(iat_codegen INTERFACE)
target_include_directories(iat_codegen INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/iat>)
target_compile_options(iat_codegen INTERFACE
  ${iat_march}
  # Contracting a*b+c differently from one call site to the next would make
  # results depend on inlining.
  -ffp-contract=off -pthread
  # What ccache needs to reuse a precompiled header.
  -fpch-preprocess)
target_link_options(iat_codegen INTERFACE -pthread)
if(IAT_SANITIZE)
  target_compile_options(iat_codegen INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(iat_codegen INTERFACE -fsanitize=address,undefined)
endif()

# Lets the sources of a target include LibTorch (models/torch.h). Private: who includes it
# says so. Its templates cost 20 s a source, so the sources are compiled together.
function(iat_use_torch TARGET)
  target_link_libraries(${TARGET} PRIVATE iat_torch)
  set_target_properties(${TARGET} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
  # To precompile it takes a minute, more than a cold build gets back from its few targets.
  if(NOT IAT_UNITY)
    target_precompile_headers(${TARGET} REUSE_FROM iat_torch_pch)
  endif()
endfunction()

# iat_library(NAME base_random SRCS random.h random.cc DEPS ... PRIVATE_DEPS ...
#             [TORCH] [SEPARATE])
# TORCH: its sources include LibTorch (iat_use_torch).
# SEPARATE: never compiled together (IAT_UNITY), for sources whose file-local names agree.
function(iat_library)
  cmake_parse_arguments(ARG "TORCH;SEPARATE" "NAME" "SRCS;DEPS;PRIVATE_DEPS" ${ARGN})
  set(sources ${ARG_SRCS})
  list(FILTER sources INCLUDE REGEX "\\.cc$")
  if(sources)
    add_library(iat_${ARG_NAME} STATIC ${ARG_SRCS})
    target_link_libraries(iat_${ARG_NAME} PUBLIC iat_codegen ${ARG_DEPS}
      PRIVATE $<BUILD_INTERFACE:iat_warnings> ${ARG_PRIVATE_DEPS})
    set(headers ${ARG_SRCS})
    list(FILTER headers INCLUDE REGEX "\\.h$")
    target_sources(iat_${ARG_NAME} PUBLIC FILE_SET HEADERS
      BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${headers})
    set_target_properties(iat_${ARG_NAME} PROPERTIES EXPORT_NAME ${ARG_NAME})
    if(ARG_TORCH)
      iat_use_torch(iat_${ARG_NAME})
    else()
      target_precompile_headers(iat_${ARG_NAME} REUSE_FROM iat_common_pch)
      list(LENGTH sources num_sources)
      if(IAT_UNITY AND num_sources GREATER 1 AND NOT ARG_SEPARATE)
        # Small enough a batch that two cores find work to the end.
        set_target_properties(iat_${ARG_NAME} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
      endif()
    endif()
  else()
    add_library(iat_${ARG_NAME} INTERFACE)
    target_link_libraries(iat_${ARG_NAME} INTERFACE iat_codegen ${ARG_DEPS})
  endif()
  add_library(iat::${ARG_NAME} ALIAS iat_${ARG_NAME})
endfunction()

# iat_test(NAME random_test SRCS base/random_test.cc DEPS iat::base [TORCH]
#          [LABELS real_data] [TIMEOUT seconds])
function(iat_test)
  cmake_parse_arguments(ARG "TORCH" "NAME;TIMEOUT" "SRCS;DEPS;LABELS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_link_libraries(${ARG_NAME} PRIVATE iat_codegen iat_warnings ${ARG_DEPS}
    GTest::gmock GTest::gtest_main)
  if(ARG_TORCH)
    iat_use_torch(${ARG_NAME})
  else()
    target_precompile_headers(${ARG_NAME} REUSE_FROM iat_test_pch)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME})
  set_tests_properties(${ARG_NAME} PROPERTIES
    TIMEOUT ${ARG_TIMEOUT}
    LABELS "${ARG_LABELS}"
    ENVIRONMENT "OMP_NUM_THREADS=1;IAT_SOURCE_DIR=${PROJECT_SOURCE_DIR};IAT_BINARY=$<TARGET_FILE:iat>")
endfunction()

# The text of a file as a C++ raw string, in BINARY_DIR/NAME: what a target includes.
function(iat_embed_text TARGET FILE NAME)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${FILE})
  file(READ ${FILE} text)
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/${NAME} CONTENT "R\"IAT(@text@)IAT\"" @ONLY)
  target_include_directories(${TARGET} PRIVATE ${PROJECT_BINARY_DIR})
endfunction()
