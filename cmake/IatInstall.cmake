# cmake --install: the command with its configs, and iat::similarity for other C++
# projects (find_package(iat)). CPack makes a Debian package of the same.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# What iat::similarity is made of. Headers lie below include/iat and include each
# other as they do here.
set(iat_exported iat_codegen iat_blas iat_base iat_distributions iat_score_table
  iat_activation_file)
get_property(similarity_targets DIRECTORY ${PROJECT_SOURCE_DIR}/similarity
  PROPERTY BUILDSYSTEM_TARGETS)
list(FILTER similarity_targets INCLUDE REGEX "^iat_similarity")
add_library(iat_similarity INTERFACE)
target_link_libraries(iat_similarity INTERFACE ${similarity_targets})
add_library(iat::similarity ALIAS iat_similarity)
foreach(target codegen blas similarity)
  set_target_properties(iat_${target} PROPERTIES EXPORT_NAME ${target})
endforeach()

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/iat)
install(TARGETS ${iat_exported} ${similarity_targets} iat_similarity EXPORT iat
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/iat COMPONENT library)
install(EXPORT iat FILE iatTargets.cmake NAMESPACE iat:: DESTINATION ${package_folder}
  COMPONENT library)
configure_package_config_file(cmake/iatConfig.cmake.in ${PROJECT_BINARY_DIR}/iatConfig.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/iatConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/iatConfig.cmake
  ${PROJECT_BINARY_DIR}/iatConfigVersion.cmake
  DESTINATION ${package_folder} COMPONENT library)

install(TARGETS iat RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
install(DIRECTORY configs DESTINATION ${CMAKE_INSTALL_DATADIR}/iat COMPONENT program)
install(FILES README.md CHANGELOG.md LICENSE
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)

# The man page and completions are the program's own words (app/command_pages.h).
function(iat_written_by_itself file destination name)
  set(output ${PROJECT_BINARY_DIR}/pages/${file})
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/pages
    COMMAND iat ${ARGN} > ${output} DEPENDS iat VERBATIM)
  install(FILES ${output} DESTINATION ${destination} RENAME ${name} COMPONENT program)
  set(iat_pages ${iat_pages} ${output} PARENT_SCOPE)
endfunction()
iat_written_by_itself(iat.1 ${CMAKE_INSTALL_MANDIR}/man1 iat.1 man)
iat_written_by_itself(iat.bash ${CMAKE_INSTALL_DATADIR}/bash-completion/completions iat
  completion bash)
iat_written_by_itself(iat.zsh ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions _iat
  completion zsh)
iat_written_by_itself(iat.fish ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d iat.fish
  completion fish)
add_custom_target(iat_pages ALL DEPENDS ${iat_pages})

# Two Debian packages: inter-animal-transforms (the program; Debian has an "iat" already,
# of CD images, which an upgrade would put in our place) and libiat-dev
# (iat::similarity). Made by the preset "package": what the machine that builds has beyond
# others must not be in them.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "the iat authors <iat@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program library)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_IAT_PROCESSOR "${IAT_PROCESSOR}")
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/DebianFiles.cmake)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME inter-animal-transforms)
# Its program has the same name.
set(CPACK_DEBIAN_PROGRAM_PACKAGE_CONFLICTS iat)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
# Below the first line, which is the project's DESCRIPTION.
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION
"Measures under which class of mapping (ridge, LogisticRidge and others) the
neural responses of two animals are similar, how much data it takes to say so,
and trains families of AlexNet-style networks that stand in for animals. One
command goes from a config to figures and a report; runs resume where they
were stopped.

On x86 a processor with AVX2 and FMA is needed.")
# The shared libraries are found in the binary. Not there: the kind of OpenBLAS whose
# threads are LibTorch's, and gnuplot, without which no run reaches its report.
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS
  "libopenblas0-openmp, gnuplot-nox | gnuplot-qt | gnuplot-x11, fonts-dejavu-core")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libiat-dev)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION
"Headers, static libraries and the CMake package of iat::similarity: ridge,
LogisticRidge and other mappings between two animals' responses, splits and
scores. Needs no LibTorch.")
# What iatConfig.cmake looks for.
set(CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS
  "libabsl-dev, libboost-math-dev, libeigen3-dev, liblapacke-dev, libnetcdf-dev, libopenblas-openmp-dev, libssl-dev, nlohmann-json3-dev, pkg-config | pkgconf")
include(CPack)
