# Run by CPack over the staged tree of each package: what Debian asks for beyond
# cmake --install. Copyright, changelog, compressed pages, no second licence.

if(CPACK_IAT_PROCESSOR STREQUAL native)
  message(FATAL_ERROR "This build is for the processor of this machine alone "
    "(IAT_PROCESSOR=native); cmake --preset package builds what others can run.")
endif()

set(names_program inter-animal-transforms)
set(names_library libiat-dev)
# One moment for all files, the commit's where the build says so.
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)

foreach(component program library)
  set(root ${CPACK_TEMPORARY_DIRECTORY}/${component}/usr)
  if(NOT IS_DIRECTORY ${root})
    message(FATAL_ERROR "no ${root}: CPack stages its components elsewhere now")
  endif()
  set(doc ${root}/share/doc/${names_${component}})
  # Debian looks for documents below the package's name.
  if(IS_DIRECTORY ${root}/share/doc/iat)
    file(RENAME ${root}/share/doc/iat ${doc})
  endif()
  file(MAKE_DIRECTORY ${doc})
  file(READ ${CMAKE_CURRENT_LIST_DIR}/../LICENSE licence)
  string(REGEX MATCH "Copyright [^\n]*" holders "${licence}")
  string(REGEX REPLACE "^Copyright \\(c\\) " "" holders "${holders}")
  # The terms follow the first two paragraphs; an empty line is a dot.
  string(REGEX REPLACE "^MIT License\n\nCopyright [^\n]*\n\n" "" terms "${licence}")
  string(STRIP "${terms}" terms)
  string(REPLACE "\n\n" "\n.\n" terms "${terms}")
  string(REPLACE "\n" "\n " terms "${terms}")
  file(WRITE ${doc}/copyright
"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: iat

Files: *
Copyright: ${holders}
License: Expat

License: Expat
 ${terms}
")
  file(WRITE ${doc}/changelog.Debian
"${names_${component}} (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium

  * Packaged by CPack; what changed is in the program's own changelog.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
  configure_file(${CMAKE_CURRENT_LIST_DIR}/../CHANGELOG.md ${doc}/changelog COPYONLY)
  file(REMOVE ${doc}/LICENSE ${doc}/CHANGELOG.md)
  set(compressed ${doc}/changelog ${doc}/changelog.Debian)
  file(GLOB pages ${root}/share/man/man1/*.1)
  execute_process(COMMAND gzip -9nf ${compressed} ${pages} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
