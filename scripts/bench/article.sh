#!/bin/sh
# article.sh DATA [ROUNDS]: times five epochs of training with augmentation in Keras, PyTorch and tftl
# fit, in float32 and bfloat16, and in int8 if MODEL is calibrated; article.py says what is trained.
#
# DATA has train/ and val/, each with one folder per class. MODEL is the exported network, VGG16
# with a flatten head (default: savedmodels/vgg16). Run nothing else on the machine.
set -eu
die() { echo "article: $*" >&2; exit 1; }
[ $# -ge 1 ] || die "usage: scripts/bench/article.sh DATA [ROUNDS]"
[ -d "$1/train" ] && [ -d "$1/val" ] || die "$1: must have train/ and val/"
data=$(cd "$1" && pwd)
model=$(realpath "${MODEL:-$(dirname "$0")/../../savedmodels/vgg16}")
cd "$(dirname "$0")/../.."
[ -x bin/tftl ] || die "bin/tftl is missing: make build"
[ -d "$model" ] || die "$model is missing: scripts/export.py makes it"
exec "${VENV:-.venv}/bin/python" scripts/bench/article.py "$data" --model "$model" --rounds "${2:-1}"
