# A static binary on an empty base. It needs the host's network to see the
# site (--network host), and CAP_NET_RAW for the sources that read frames:
#   docker run --network host --cap-add NET_RAW -v camcensus:/var/lib/camcensus camcensus
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /camcensus ./cmd/camcensus
RUN mkdir -p /empty/var/lib/camcensus

FROM scratch
COPY --from=build /camcensus /camcensus
COPY --from=build /empty/ /
VOLUME /var/lib/camcensus
EXPOSE 9877
ENTRYPOINT ["/camcensus"]
CMD ["run", "--storage.path=/var/lib/camcensus", "--web.listen-address=127.0.0.1:9877"]
