# syntax=docker/dockerfile:1
# Every RUN is a plain command: tests/run runs each of them as it stands, for want of an engine to build with.

FROM rust:1.95-bookworm AS builder
WORKDIR /build
COPY . .
RUN cargo build --locked --release --bin sendready
# An empty folder that belongs to the user below; the last stage has nothing to make one with.
RUN mkdir -p target/data

FROM debian:bookworm-slim
COPY --from=builder /build/target/release/sendready /usr/local/bin/sendready
COPY --from=builder --chown=65532:65532 /build/target/data /data
# Nobody in particular; a number, so that an orchestrator can see that it is not root.
USER 65532:65532
# Without another database, SQLite's file lies here.
WORKDIR /data
VOLUME /data
ENV SENDREADY_HTTP__LISTEN=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["sendready", "health"]
ENTRYPOINT ["sendready"]
CMD ["serve"]
