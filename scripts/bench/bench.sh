#!/bin/sh
# bench.sh PHOTOGRAPHS MODEL: measures speed and memory of an exported network on a folder of
# photographs with one sub-folder per class. `make bench-parts` runs it.
#
# Relative paths start at the repository's root. Run nothing else on the machine.
set -eu
cd "$(dirname "$0")/../.."
photos=$1
model=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

quietly() { # a command whose log lines are shown only if it fails
	"$@" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
}

title() {
	printf '\n== %s\n' "$*"
}

title "the machine"
sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | uniq -c
bin/tftl version

title "the frozen pass, and one preloaded batch fed repeatedly"
quietly bin/frozen -data "$photos" -model "$model"

title "tftl fit: the frozen pass and epochs on cached features"
bin/tftl fit --data "$photos" --model "$model" --output "$work/run" --cache-dir "$work/cache" \
	--epochs 5 --patience 0 --lr 1e-4 --quiet
"${VENV:-.venv}/bin/python" scripts/bench/timing.py "$work/run"

title "training steps of the head: memory, and the share of time in Go"
quietly bin/steps -data "$photos" -model "$model"

title "tftl fit: memory"
quietly "${VENV:-.venv}/bin/python" scripts/bench/memory.py --data "$photos" --model "$model"

title "the first evaluation of a run, compared with Keras"
quietly "${VENV:-.venv}/bin/python" scripts/bench/evaluation.py "$photos" --model "$model"

title "Pillow's pixels compared with TensorFlow's, which tftl uses"
quietly "${VENV:-.venv}/bin/python" scripts/bench/pillow.py "$photos"

title "reading, decoding and resizing alone, compared with tf.data"
if [ -n "$(find -L "$photos" -iname '*.jpg' -o -iname '*.jpeg' | head -1)" ]; then
	quietly "${VENV:-.venv}/bin/python" scripts/bench/input.py "$photos"
else
	echo "$photos has no JPEGs; use DATA=DIR with a folder of JPEGs"
fi
