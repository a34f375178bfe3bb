# penstock in a container:
#   docker build -t penstock .
#   docker run -p 127.0.0.1:8080:8080 -v uploads:/data --stop-timeout 75 -e PENSTOCK_ALLOW_ANONYMOUS=yes penstock
# The container listens on all of its addresses, which takes --token-file, or --allow-anonymous where -p lets in nobody
# else. Every setting is a variable: PENSTOCK_MEMORY_LIMIT=64MiB. The memory limit follows the container's (docker run -m).

FROM debian:bookworm-slim AS build
WORKDIR /src
COPY . .
RUN script/bootstrap --build && \
    script/build release penstock manual && \
    DESTDIR=/made cmake --install build/release --prefix /usr --strip

FROM debian:bookworm-slim
RUN apt-get update && \
    apt-get install -y --no-install-recommends libuv1 libssl3 libisal2 && \
    rm -rf /var/lib/apt/lists/*
COPY --from=build /made/usr/bin/penstock /usr/bin/penstock
RUN groupadd --gid 10001 penstock && \
    useradd --uid 10001 --gid penstock --home-dir /data --no-create-home --shell /usr/sbin/nologin penstock && \
    install -d -o penstock -g penstock -m 0750 /data
USER 10001:10001
ENV PENSTOCK_DATA_DIR=/data
ENV PENSTOCK_LISTEN=0.0.0.0:8080
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=2s CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8081 && printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3 && read -r line <&3 && [[ $line == *' 200 '* ]]"]
ENTRYPOINT ["/usr/bin/penstock"]
CMD ["serve"]
