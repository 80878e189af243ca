#!/usr/bin/env bash
# The installed tree serves another project: examples/similarity configures, builds and
# runs against it, and finds what it must (a rectified linear map is LogisticRidge's).
#
#   install_test.sh SOURCE_FOLDER BUILD_FOLDER
set -euo pipefail
source_folder=$1 build_folder=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cmake --install "$build_folder" --prefix "$scratch/prefix" --component library >/dev/null
cmake -S "$source_folder/examples/similarity" -B "$scratch/build" -G Ninja \
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$scratch/prefix" >/dev/null
cmake --build "$scratch/build" >/dev/null
"$scratch/build/two_animals" | tee "$scratch/table"
grep -Eq '^logistic_ridge +median R2 (0\.9[5-9]|1\.0)' "$scratch/table"
grep -Eq '^ridge +median R2 0\.[678]' "$scratch/table"

# Nothing installed may name the folders it was built from.
if grep -rIl -e "$source_folder" -e "$build_folder" "$scratch/prefix/lib/cmake"; then
  echo "the files above name the source or build folder"
  exit 1
fi

# The program comes with its pages, written by itself.
cmake --install "$build_folder" --prefix "$scratch/program" --component program >/dev/null
for page in man/man1/iat.1 bash-completion/completions/iat zsh/vendor-completions/_iat \
  fish/vendor_completions.d/iat.fish doc/iat/README.md doc/iat/docs/tutorial.md; do
  test -s "$scratch/program/share/$page" || {
    echo "share/$page is not installed"
    exit 1
  }
done
