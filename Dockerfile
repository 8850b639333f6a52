# An image with the program, what object storage needs to know of certificates,
# and nothing else, for any platform that the builder names:
#
#   docker build -t pcapbatch .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/data" pcapbatch extract -o sessions.csv capture.pcap
#
# The program runs as nobody unless --user says otherwise, in /data, and has
# /tmp for temporary files. There is no shell in the image, so the example for
# Kubernetes in deploy/ needs another one: a distribution's, with the deb.
#
# scripts/image.sh builds it with buildah, and runs the program in it.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY . .
ARG TARGETOS TARGETARCH
# Not go mod download, which fetches the modules of the tests too.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
        go build -buildvcs=false -trimpath -ldflags "-s -w" -o /image/usr/bin/pcapbatch ./cmd/batch && \
    mkdir -p /image/data /image/tmp /image/usr/share/doc/pcapbatch /image/etc/ssl/certs && \
    chmod 1777 /image/tmp && \
    cp LICENSE NOTICE /image/usr/share/doc/pcapbatch/ && \
    cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/

FROM scratch
COPY --from=build /image/ /
USER 65534:65534
WORKDIR /data
ENTRYPOINT ["/usr/bin/pcapbatch"]
