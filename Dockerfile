# docker build -t tftl .                        for CPUs
# docker build -t tftl:cuda --build-arg GPU=1 . with TensorFlow's CUDA build and CUDA's libraries
#
# docker run --rm -v "$PWD:/work" -v tftl-cache:/cache tftl fit --data photos --model vgg16 -o runs/first

FROM golang:1.26-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends python3-venv
WORKDIR /src
COPY . .
ARG GPU=
ARG VERSION=unknown
RUN make install PREFIX=/usr DESTDIR=/release

FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends libstdc++6 && rm -rf /var/lib/apt/lists/*
COPY --from=build /release /
RUN useradd --uid 1000 --create-home tftl && install --directory --owner=tftl /cache /work
ENV TFTL_CACHE_DIR=/cache
USER tftl
WORKDIR /work
VOLUME ["/cache", "/work"]
ENTRYPOINT ["tftl"]
