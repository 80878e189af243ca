# Sourced by scripts/reproduce and scripts/test: installs the Debian or Ubuntu
# packages that are missing, and says what it does.

iat_build_packages=(
  build-essential cmake ninja-build git ca-certificates pkg-config ccache
  libtorch-dev libopencv-dev libjpeg-dev libopenblas-openmp-dev libopenblas0-openmp
  liblapacke-dev libeigen3-dev libabsl-dev libboost-math-dev librandom123-dev
  libarchive-dev libnetcdf-dev libhdf5-dev libssl-dev libtomlplusplus-dev libcli11-dev
  nlohmann-json3-dev gnuplot-nox fonts-dejavu-core
)
# What CPack reads libraries with, to make the Debian packages.
iat_package_packages=(file)
# Read our files back with other people's software.
# The report is opened and used in a browser.
iat_test_packages=(
  libgtest-dev libgmock-dev python3-xarray python3-netcdf4 python3-h5py netcdf-bin
  openmpi-bin
  chromium chromium-driver python3-selenium
)

iat_install() {
  local missing=() package
  for package in "$@"; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
      missing+=("$package")
    fi
  done
  if [ ${#missing[@]} -eq 0 ]; then
    return 0
  fi
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null && ! { [ -t 0 ] && command -v sudo >/dev/null; }; then
      echo "These packages are missing and installing them needs root:"
      echo "  apt-get install --no-install-recommends ${missing[*]}"
      return 1
    fi
    sudo=(sudo)
  fi
  echo "Installing ${#missing[@]} packages: ${missing[*]}"
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends "${missing[@]}" >/dev/null
}

# iat_build TARGET...: configures once and builds, in build/release.
iat_build() {
  if [ ! -f build/release/build.ninja ]; then
    echo "Configuring in build/release"
    cmake --preset release >build-configure.log 2>&1 || {
      cat build-configure.log
      return 1
    }
    mv build-configure.log build/release/configure.log
  fi
  cmake --build build/release --target "$@"
}
