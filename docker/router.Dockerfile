# Stands in for the internet between regions, and for people's routers: see router.sh.
FROM debian:bookworm-slim
RUN apt-get update -q && apt-get install -qy --no-install-recommends iproute2 nftables && rm -rf /var/lib/apt/lists/*
COPY --chmod=755 docker/router.sh /usr/local/bin/router
HEALTHCHECK --interval=5m --timeout=60s CMD ["test", "-e", "/run/routes"]
ENTRYPOINT ["router"]
