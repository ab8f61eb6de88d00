#!/bin/sh
# article.sh DATA [ROUNDS]: the article's training under augmentation, five epochs, by its Keras
# code and by tftl fit in float32 and in bfloat16, and how much faster tftl is.
#
# DATA has train/ and val/ with a folder a class. MODEL is the exported network, VGG16 with a
# flatten head (default: savedmodels/vgg16). Give it a machine that does nothing else.
set -eu
die() { echo "article: $*" >&2; exit 1; }
[ $# -ge 1 ] || die "usage: scripts/bench/article.sh DATA [ROUNDS]"
[ -d "$1/train" ] && [ -d "$1/val" ] || die "$1: has no train/ and val/"
data=$(cd "$1" && pwd)
model=$(realpath "${MODEL:-$(dirname "$0")/../../savedmodels/vgg16}")
cd "$(dirname "$0")/../.."
[ -x bin/tftl ] || die "bin/tftl is missing: make build"
[ -d "$model" ] || die "$model is missing: scripts/export.py makes it"
exec .venv/bin/python scripts/bench/article.py "$data" --model "$model" --rounds "${2:-1}"
