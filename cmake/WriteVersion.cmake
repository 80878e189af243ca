# Runs at every build: writes OUTPUT only when the revision has changed, so that
# one small file recompiles after a commit and nothing otherwise.
execute_process(COMMAND git -C ${SOURCE} describe --always --abbrev=12 --dirty --exclude=*
  OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT revision)
  set(revision unknown)
endif()
set(text "#define IAT_VERSION \"${VERSION}\"\n#define IAT_REVISION \"${revision}\"\n#define IAT_COMPILER \"${COMPILER}\"\n")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} old)
endif()
if(NOT "${old}" STREQUAL "${text}")
  file(WRITE ${OUTPUT} "${text}")
endif()
