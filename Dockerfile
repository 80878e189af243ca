# iat in a container: built from this folder on Debian 12, and installed as the Debian
# package into a second image that holds what it needs to run and no compiler.
#
#   docker build -t iat .
#   docker run --rm -v "$PWD:/work" iat reproduce /usr/share/iat/configs/quickstart.toml
#
# Runs are written below /work, the folder mounted there. For an x86 processor without
# AVX2: --build-arg PROCESSOR=x86-64.
FROM debian:bookworm AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /src
# The packages first: their layer stays while the sources change.
COPY scripts/dependencies.sh scripts/
# hadolint ignore=SC2154
RUN source scripts/dependencies.sh && iat_install "${iat_build_packages[@]}" "${iat_package_packages[@]}"
COPY . .
ARG PROCESSOR=portable
RUN cmake --preset package -DIAT_PROCESSOR="$PROCESSOR" \
  && cmake --build --preset package --target package \
  && mkdir /packages && cp build/package/inter-animal-transforms_*.deb /packages/

FROM debian:bookworm
COPY --from=build /packages /packages
RUN apt-get update \
  && apt-get install -y --no-install-recommends /packages/inter-animal-transforms_*.deb \
  && rm -rf /var/lib/apt/lists/* /packages
WORKDIR /work
ENTRYPOINT ["iat"]
CMD ["--help"]
