#!/usr/bin/env bash
# Dockerfile and iat.def hold only steps that scripts/package/try-image can run, and both
# build and install the package by the same commands. Building images needs root, a
# mirror and half an hour: scripts/package/try-image.
#
#   images_test.sh SOURCE_FOLDER
set -euo pipefail
source_folder=$1
for file in Dockerfile iat.def; do
  "$source_folder/scripts/package/try-image" "$file" --list >/dev/null
done
# A command a line, without what is only the one file's way of putting it.
commands() {
  "$source_folder/scripts/package/try-image" "$1" --list |
    sed -E 's/ +&& /\n/g; s/ -DIAT_PROCESSOR="\$PROCESSOR"//g' |
    sed -E 's/^ +//; /^(\[|set |cd |$|iat --version$)/d'
}
diff <(commands Dockerfile) <(commands iat.def) || {
  echo "Dockerfile (<) and iat.def (>) build or install by other commands"
  exit 1
}
grep -q '^cmake --preset package$' <(commands Dockerfile)
