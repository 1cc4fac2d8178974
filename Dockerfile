# The image of the chart helm/cairn: docker build -t cairn:0.1.0 .
# `./dev image` carries out these steps without a container engine and tries what comes out. For a build that can
# be repeated to the byte of its base: --build-arg DEBIAN=debian@sha256:...
ARG DEBIAN=debian:bookworm-20250520-slim

FROM ${DEBIAN} AS build
WORKDIR /cairn
COPY . .
RUN ./dev build release server/cairn && \
    install -s -D build/release/server/cairn /out/usr/bin/cairn

FROM ${DEBIAN}
# ibverbs-providers: the adapters' drivers, without which UCX has TCP alone.
RUN apt-get update && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ibverbs-providers libabsl20220623 libcpp-httplib0.11 libgrpc++1.51 libhwloc15 libprotobuf32 \
      libspdlog1.10 libsqlite3-0 libssl3 libucx0 liburing2 libxxhash0 libyaml-cpp0.7 && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log
COPY --from=build /out/ /
USER 65532:65532
ENTRYPOINT ["cairn"]
CMD ["--help"]
