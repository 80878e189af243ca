# cmake --install: the command with its configs, and iat::similarity for other C++
# projects (find_package(iat)). CPack makes a Debian package of the same.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# What iat::similarity is made of. Headers lie below include/iat and include each
# other as they do here.
set(iat_exported iat_codegen iat_blas iat_base iat_score_table iat_activation_file)
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

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "the iat authors <iat@localhost>")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
# Shared libraries are found in the binary; OpenBLAS's variant and gnuplot are not.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libopenblas0-openmp, gnuplot-nox | gnuplot, fonts-dejavu-core")
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_STRIP_FILES ON)
include(CPack)
