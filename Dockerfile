# The image for those who have Docker or another builder; scripts/image makes its equal without any.
#
#   docker buildx build --platform linux/amd64,linux/arm64 --tag k8slan.io/k8slan:0.1.0 .
#
# What it promises stands in scripts/image_layout.ts; a test compares.

FROM --platform=$BUILDPLATFORM denoland/deno:debian-2.9.6 AS build
ARG TARGETARCH
WORKDIR /src
COPY . .
RUN scripts/build --target "$TARGETARCH" --form compiled && rm dist/*.stamp \
  && mkdir -p /image/opt/k8slan /image/usr/share/doc/k8slan \
  && mv dist/k8slan* /image/opt/k8slan/k8slan && ln -s k8slan /image/opt/k8slan/host \
  && cp LICENSE /image/usr/share/doc/k8slan

FROM gcr.io/distroless/cc-debian12
COPY --from=build /image /
ENV PATH=/opt/k8slan \
  K8SLAN_EXECUTABLE=/opt/k8slan/host \
  DENO_DIR=/dev/null/deno \
  DENO_NO_PACKAGE_JSON=1 \
  DENO_NO_PROMPT=1 \
  DENO_NO_UPDATE_CHECK=1 \
  DENO_V8_FLAGS=--max-semi-space-size=1 \
  MALLOC_ARENA_MAX=2 \
  MALLOC_TRIM_THRESHOLD_=131072 \
  DENO_TLS_CA_STORE=system
LABEL org.opencontainers.image.title="k8slan" \
  org.opencontainers.image.description="Private Ethernet LANs for pods and virtual machines across the nodes of a Kubernetes cluster" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.source="https://github.com/k8slan/k8slan" \
  org.opencontainers.image.version="0.1.0"
USER 0
WORKDIR /
ENTRYPOINT ["/opt/k8slan/k8slan"]
