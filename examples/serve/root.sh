#!/bin/sh
# root.sh PROGRAM LIBRARY DIR: fills a new folder with all that the service needs to run: the
# program, onnxruntime's library, and the parts of the C and C++ libraries that these two load. The
# image that the Dockerfile makes holds that and nothing else.
set -eu
mkdir "$3"
cp "$1" "$3/serve"
cp "$2" "$3/libonnxruntime.so"
for library in $(ldd "$1" "$2" | grep -F '(0x' | grep -o '/[^ ]*' | sort -u); do
	cp --dereference --parents "$library" "$3"
done
