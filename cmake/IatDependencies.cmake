# Every library the project uses, found once. scripts/dependencies.sh installs
# the Debian packages; CMAKE_PREFIX_PATH points at another LibTorch.

find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_path(IAT_TOMLPLUSPLUS_INCLUDE toml++/toml.h REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenCV 4 REQUIRED COMPONENTS core imgproc imgcodecs videoio)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(LibArchive REQUIRED)
find_package(Boost REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(NETCDF REQUIRED IMPORTED_TARGET netcdf)
# The same HDF5 that netCDF uses (Debian and Ubuntu: libhdf5-dev), by its C interface.
find_package(HDF5 REQUIRED COMPONENTS C)
add_library(iat_hdf5 INTERFACE)
target_include_directories(iat_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
# The functions as HDF5 1.10 has them; 1.12 and newer give some names another meaning.
target_compile_definitions(iat_hdf5 INTERFACE H5_USE_110_API)
target_link_libraries(iat_hdf5 INTERFACE ${HDF5_C_LIBRARIES})
add_library(iat::hdf5 ALIAS iat_hdf5)
find_path(IAT_RANDOM123_INCLUDE Random123/philox.h REQUIRED)

# OpenBLAS by name, LAPACK through it: the reference BLAS is 40 times slower.
find_package(OpenBLAS QUIET)
find_library(IAT_OPENBLAS NAMES openblas REQUIRED)
find_library(IAT_LAPACKE NAMES lapacke REQUIRED)
add_library(iat_blas INTERFACE)
target_link_libraries(iat_blas INTERFACE ${IAT_LAPACKE} ${IAT_OPENBLAS})
add_library(iat::blas ALIAS iat_blas)

find_package(Torch REQUIRED)
# LibTorch's own target carries its flags; old packages also export warnings
# and a C++ standard that do not concern us, so headers are taken as system.
add_library(iat_torch INTERFACE)
target_include_directories(iat_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
# LibTorch from PyPI exports an old std::filesystem of its own, in which remove_all calls
# address 0; the compiler's comes first.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_link_libraries(iat_torch INTERFACE stdc++)
endif()
target_link_libraries(iat_torch INTERFACE ${TORCH_LIBRARIES})
separate_arguments(iat_torch_flags UNIX_COMMAND "${TORCH_CXX_FLAGS}")
target_compile_options(iat_torch INTERFACE ${iat_torch_flags})

# Precompiled headers, shared by all targets of a kind: reading LibTorch's headers takes
# 15 s and more a source, Eigen with Abseil 3 s, GoogleMock 2 s.
set(IAT_COMMON_HEADERS
  <algorithm> <cmath> <filesystem> <functional> <limits> <map> <memory> <optional> <set>
  <string> <utility> <vector> <Eigen/Dense> <absl/status/statusor.h>
  <absl/strings/str_cat.h> <absl/strings/str_format.h> <absl/strings/str_join.h>)
function(iat_precompiled NAME)
  cmake_parse_arguments(ARG "" "" "HEADERS;DEPS" ${ARGN})
  set(anchor ${PROJECT_BINARY_DIR}/${NAME}.cc)
  if(NOT EXISTS ${anchor})
    file(WRITE ${anchor} "// Anchor of a shared precompiled header.\n")
  endif()
  add_library(iat_${NAME} OBJECT ${anchor})
  target_link_libraries(iat_${NAME} PUBLIC iat_codegen ${ARG_DEPS} PRIVATE iat_warnings)
  target_precompile_headers(iat_${NAME} PRIVATE ${ARG_HEADERS})
endfunction()
# In brackets: with the folder's name in it, ccache could not share it between checkouts.
if(NOT IAT_UNITY)
  iat_precompiled(torch_pch HEADERS <models/torch.h> ${IAT_COMMON_HEADERS}
    DEPS iat_torch Eigen3::Eigen absl::statusor absl::str_format)
endif()
iat_precompiled(common_pch HEADERS ${IAT_COMMON_HEADERS}
  DEPS Eigen3::Eigen absl::statusor absl::str_format)

if(BUILD_TESTING)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  find_package(GTest REQUIRED)
  iat_precompiled(test_pch HEADERS ${IAT_COMMON_HEADERS} <gmock/gmock.h> <gtest/gtest.h>
    DEPS Eigen3::Eigen absl::statusor absl::str_format GTest::gmock)
endif()
