#!/usr/bin/env bash
# Runs what README.md and docs/ tell a reader to type, in a folder of its own, in the
# order of the pages, and checks what they say of files.
#
#   docs_test.sh SOURCE_FOLDER IAT_BINARY
#
# Blocks
#   ```sh       run, line by line failing at the first that fails
#   ```python   run where the modules it imports are installed, else counted
#   ```toml     after <!-- file: NAME -->: written to NAME, for the commands below it;
#               after <!-- check -->: completed to a config and tried by a dry run
#   any block   after <!-- not run: REASON -->: counted
# A block of another kind, or one without a language that has a command in it, is an
# error: nothing is skipped silently.
#
# Settings  `iat` is the real one. With a config of minutes or more it gets settings
#           that make it small added (before those of the page, which win), with those of
#           hours --dry-run. Configs themselves are read as they are shipped.
# Configs   Every one in configs/ is planned by a dry run of what its first lines say.
set -euo pipefail
source_folder=$(realpath "$1") iat=$(realpath "$2")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/home" "$scratch/bin" "$scratch/work" "$scratch/blocks"
export HOME=$scratch/home IAT=$iat SCRATCH=$scratch OMP_NUM_THREADS=1
unset NO_COLOR

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# ---- what a reader has -------------------------------------------------------------

cat >"$scratch/bin/iat" <<'END'
#!/usr/bin/env bash
set -euo pipefail
config=''
for word in "$@"; do
  case $word in *.toml) config=$word ;; esac
done
case $config in
  '' | runs/* | mouse.toml) ;;
  configs/quickstart.toml | mine.toml)
    small=()
    for setting in 'family.seeds=[0,1]' model.width=0.0625 images.count=96 \
      training.epochs=1 training.batch_size=32 training.simclr.hidden_size=32 \
      training.simclr.embedding_size=16 stimuli.held-out.count=120 \
      compare.num_fit_stimuli=90 'compare.split_seeds=[0]'; do
      small+=(--set "$setting")
    done
    if [ "$config" != mine.toml ]; then
      for setting in metrics.num_stimuli=100 subsample.num_fit_stimuli=90 \
        subsample.num_sizes=4 subsample.num_samples=1 \
        'calibrate.split_seeds=[0]' calibrate.num_samples=1 scopes.animals=2; do
        small+=(--set "$setting")
      done
    fi
    # After the command, which may be two words.
    words=1
    if [ "$1" = neural ]; then words=2; fi
    set -- "${@:1:words}" "${small[@]}" "${@:words + 1}"
    ;;
  *)
    case " $* " in *' --dry-run '*) ;; *) set -- "$@" --dry-run ;; esac
    ;;
esac
status=0
"$IAT" "$@" || status=$?
# What the machine is like is not the page's fault.
if [ "$1" = doctor ] && [ $status -eq 1 ]; then status=0; fi
exit $status
END
cat >"$scratch/bin/xdg-open" <<'END'
#!/usr/bin/env bash
test -s "$1"
END
chmod +x "$scratch/bin/"*
# The pages put the build folder in front of PATH: there it is the same.
mkdir -p "$scratch/work/build/release"
ln -s "$scratch/bin" "$scratch/work/build/release/app"
export PATH=$scratch/bin:$PATH
cd "$scratch/work"
cp -r "$source_folder/configs" .

# scripts/reproduce without installing and building.
mkdir scripts
grep -q '^exec build/release/app/iat reproduce "\$@"$' "$source_folder/scripts/reproduce" ||
  fail "scripts/reproduce no longer ends with iat reproduce"
{
  echo '#!/usr/bin/env bash'
  echo 'if [ $# -eq 0 ]; then set -- configs/quickstart.toml; fi'
  grep '^exec ' "$source_folder/scripts/reproduce"
} >scripts/reproduce
chmod +x scripts/reproduce

# Photographs of the reader: BMPs in class folders, none twice, larger than 64 x 64.
# shellcheck disable=SC2016
photos='
  use strict;
  my ($folder, $first, $count) = @ARGV;
  for my $i ($first .. $first + $count - 1) {
    my ($width, $height) = (72, 68);
    my $pixels = "";
    for my $row (0 .. $height - 1) {
      for my $column (0 .. $width - 1) {
        $pixels .= pack("C3", ($row * (1 + $i % 7) + $i) % 256,
                        ($column * (1 + $i % 5) + 3 * $i) % 256,
                        (($row ^ $column) * (1 + $i % 3) + 7 * $i) % 256);
      }
    }
    my $class = $i % 2 ? "trees" : "houses";
    open(my $file, ">:raw", "$folder/$class/$i.bmp") or die $!;
    print $file "BM", pack("V3", 54 + length $pixels, 0, 54),
      pack("V3v2V6", 40, $width, $height, 1, 24, 0, length $pixels, 2835, 2835, 0, 0),
      $pixels;
    close($file) or die $!;
  }'
mkdir -p photos/training/{trees,houses} photos/stimuli/{trees,houses}
perl -e "$photos" photos/training 0 100
perl -e "$photos" photos/stimuli 100 120
cp -r photos/stimuli "$HOME/stimuli"
# Two animals' responses to 60 stimuli: 5 units, and 4 rectified sums of them.
perl -e 'use strict;
  for my $animal (0, 1) {
    open(my $file, ">", $animal ? "b.csv" : "a.csv") or die $!;
    for my $i (0 .. 59) {
      my @x = map { sin(($i + 1) * $_ * 1.7) } 1 .. 5;
      @x = map { $_ > 0 ? $_ : 0 }
        ($x[0] + $x[1], $x[1] - $x[2], $x[3], $x[4] + 0.5 * $x[0]) if $animal;
      print $file join(",", map { sprintf "%.6f", $_ } @x), "\n";
    }
    close($file);
  }'
# The same as NumPy writes it (format version 1.0, float64).
perl -e 'use strict;
  for my $name ("a", "b") {
    open(my $csv, "<", "$name.csv") or die $!;
    my ($rows, $columns, $bytes) = (0, 0, "");
    while (<$csv>) {
      my @values = split /,/;
      $columns = @values;
      ++$rows;
      $bytes .= pack("d<*", @values);
    }
    my $header = sprintf("{\x27descr\x27: \x27<f8\x27, \x27fortran_order\x27: False, " .
                         "\x27shape\x27: (%d, %d), }", $rows, $columns);
    $header .= " " x (63 - (10 + length $header) % 64) . "\n";
    open(my $npy, ">:raw", "$name.npy") or die $!;
    print $npy "\x93NUMPY\x01\x00", pack("v", length $header), $header, $bytes;
    close($npy);
  }'
# Stimulus ids for `iat activations select`.
seq -f 'dead-leaves-2-%06g' 0 59 >first.txt
seq -f 'dead-leaves-2-%06g' 60 119 >rest.txt
# The large image sets, which a dry run only looks for.
mkdir -p data/allen_scenes/{exact31,best164x128} imagenet/train imagenet/val cifar10 sessions
touch data/train64_part0.tar.gz data/stimuli64.tar.gz data/stimuli64_in1k.tar.gz \
  cifar10/test_batch.bin
export IAT_DATA=$PWD/data IMAGENET=$PWD/imagenet CIFAR10=$PWD/cifar10
# Recordings are not there: a dry run says which, an import fails and names the file.
export ALLEN_NEUROPIXELS=$PWD/sessions ALLEN_TWO_PHOTON=$PWD/sessions

# ---- the pages ---------------------------------------------------------------------

# Each block becomes blocks/NNN.LANGUAGE, its first line "# PAGE:LINE MARK".
pages=(README.md docs/tutorial.md docs/how-to.md)
for page in "$source_folder"/docs/*.md; do
  page=docs/$(basename "$page")
  case " ${pages[*]} docs/commands.md " in *" $page "*) ;; *) pages+=("$page") ;; esac
done
pages+=(docs/commands.md)
number=0
for page in "${pages[@]}"; do
  number=$((number + 1))
  awk -v page="$page" -v stem="$(printf '%s/blocks/%02d' "$scratch" $number)" '
    /^```/ && !inside {
      language = substr($0, 4)
      file = sprintf("%s-%03d.%s", stem, ++count, language == "" ? "none" : language)
      printf "# %s:%d %s\n", page, NR, mark >file
      inside = 1
      next
    }
    /^```/ { inside = 0; close(file); mark = ""; next }
    inside { print >file; next }
    /^<!-- (not run|file|check)/ { mark = $0; next }
    /./ { mark = "" }
  ' "$source_folder/$page"
done

declare -A count=([sh]=0 [python]=0 [toml]=0 ["not run"]=0 ["no modules"]=0)
for block in "$scratch"/blocks/*; do
  head=$(head -n 1 "$block")
  where=${head#\# }
  where=${where%% *}
  language=${block##*.}
  if [[ $head == *'<!-- not run: '* ]]; then
    count["not run"]=$((count["not run"] + 1))
    continue
  fi
  case $language in
    sh)
      count[sh]=$((count[sh] + 1))
      bash -euo pipefail "$block" >"$scratch/log" 2>&1 </dev/null || {
        cat "$block" "$scratch/log"
        fail "$where: the commands above"
      }
      ;;
    python)
      modules=$(sed -nE 's/^(import|from) ([a-z_0-9, ]+).*/\2/p' "$block" |
        sed -E 's/ import.*//' | paste -sd,)
      if ! /usr/bin/python3 -c "import $modules" 2>/dev/null; then
        count["no modules"]=$((count["no modules"] + 1))
        echo "$where: not run, Python lacks one of $modules"
        continue
      fi
      count[python]=$((count[python] + 1))
      /usr/bin/python3 "$block" >"$scratch/log" 2>&1 || {
        cat "$block" "$scratch/log"
        fail "$where: the Python above"
      }
      ;;
    toml)
      count[toml]=$((count[toml] + 1))
      if [[ $head =~ '<!-- file: '([^ ]+)' -->' ]]; then
        cp "$block" "${BASH_REMATCH[1]}"
      elif [[ $head == *'<!-- check -->'* ]]; then
        cp "$block" check.toml
        grep -q '^\[images\]' check.toml || grep -q '^seeds = \[\]' check.toml ||
          printf '[images]\nsource = "dead-leaves"\ncount = 500\n' >>check.toml
        grep -q '^\[stimuli\.' check.toml ||
          printf '[stimuli.s]\nsource = "dead-leaves"\ncount = 100\n' >>check.toml
        "$iat" reproduce check.toml --dry-run --set model.width=0.0625 \
          >"$scratch/log" 2>&1 || {
          cat check.toml "$scratch/log"
          fail "$where: the config above"
        }
      else
        fail "$where: say with <!-- file: NAME --> or <!-- check --> what it is"
      fi
      ;;
    none)
      if tail -n +2 "$block" | grep -E '^ *(iat|\./|cmake|sbatch|srun|mpirun) '; then
        fail "$where: commands belong in a block of language sh"
      fi
      ;;
    *) fail "$where: how is a block of $language tested?" ;;
  esac
done
echo "ran ${count[sh]} shell, ${count[python]} Python and ${count[toml]} TOML blocks;" \
  "not run: ${count["not run"]} by mark, ${count["no modules"]} for want of modules"
[ "${count[sh]}" -ge 30 ] || fail "only ${count[sh]} shell blocks were found"

# ---- the configs -------------------------------------------------------------------

# Each is planned by the commands that its first lines give, or else by reproduce.
configs=0 descriptions=0
for config in configs/*.toml configs/neural/*.toml; do
  typed=$(awk '/^#/ { sub(/^# */, ""); if (/^iat [a-z]/) print; next } { exit }' "$config" |
    grep "$config" || true)
  if grep -q '^\[recording\]' "$config"; then
    descriptions=$((descriptions + 1))
    printf '[family]\nseeds = []\n[neural.it]\ndescription = "%s"\n%s\n' "$config" \
      '[neural.it.scores]
directions = ["animals->animals"]' >described.toml
    if ! "$iat" neural scores described.toml --dry-run >"$scratch/log" 2>&1 ||
      ! grep -q "^\[neural\] will import it from [0-9]* file(s) by $config" "$scratch/log"; then
      cat "$scratch/log"
      fail "$config: a run that imports it"
    fi
    [[ $typed == "iat neural import $config --out "* ]] ||
      fail "$config: its first lines give no iat neural import"
    # shellcheck disable=SC2086
    if "$iat" ${typed#iat } >"$scratch/log" 2>&1 || ! grep -q 'No such file' "$scratch/log"; then
      cat "$scratch/log"
      fail "$config: an import without the files should name the first"
    fi
    continue
  fi
  configs=$((configs + 1))
  while read -r command; do
    command=${command%%#*}
    case $command in *' --dry-run'*) ;; *) command+=' --dry-run' ;; esac
    # shellcheck disable=SC2086
    "$iat" ${command#iat } >"$scratch/log" 2>&1 || {
      cat "$scratch/log"
      fail "$config: $command"
    }
  done <<<"${typed:-iat reproduce $config}"
done
echo "planned $configs configs and $descriptions descriptions of recordings"
if [ $configs -lt 10 ] || [ $descriptions -lt 4 ]; then
  fail "configs/ holds more than that"
fi

# ---- what files.md says ------------------------------------------------------------

# Every column of every table of a run is on the page, and a picture of the folder is
# true.
while read -r table; do
  for column in $(head -n 1 "$table" | tr ',' ' '); do
    grep -q "\`$column\`" "$source_folder/docs/files.md" ||
      fail "docs/files.md: no column $column, which is in $table"
  done
done < <(find runs/quickstart -name '*.csv' ! -path '*/parts/*')
for file in config.toml provenance.json report.html images/training/index.csv \
  models/seed-000/weights.safetensors models/seed-000/checkpoint.safetensors \
  models/seed-000/events.out.tfevents.iat activations/held-out/seed-000.nc \
  scores/compare_units.nc figures/figure-1.svg figures/figure-1.gp; do
  test -s "runs/quickstart/$file" || fail "docs/files.md: a run has no $file"
done

# Every page that README.md and the pages name is there.
for page in README.md docs/tutorial.md docs/how-to.md docs/files.md; do
  while read -r named; do
    [ -f "$source_folder/docs/${named#docs/}" ] || [ -f "$source_folder/$named" ] ||
      fail "$page names $named, which is not there"
  done < <(grep -oE '`[A-Za-z/-]+\.md`' "$source_folder/$page" | tr -d '`' | sort -u)
done
