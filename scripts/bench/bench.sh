#!/bin/sh
# bench.sh PHOTOGRAPHS MODEL: speed and memory of an exported network on a folder of photographs
# with a sub-folder per class. `make bench` runs it.
#
# The folders are taken from the repository's root. Give it a machine that does nothing else.
set -eu
cd "$(dirname "$0")/../.."
photos=$1
model=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

title() {
	printf '\n== %s\n' "$*"
}

title "the machine"
sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | uniq -c
bin/tftl version

title "the frozen pass, beside one preloaded batch over and over"
bin/frozen -data "$photos" -model "$model"

title "tftl fit: the frozen pass and epochs on cached features"
bin/tftl fit --data "$photos" --model "$model" --output "$work/run" --cache-dir "$work/cache" \
	--epochs 5 --patience 0 --lr 1e-4 --quiet
.venv/bin/python scripts/bench/timing.py "$work/run"

title "tftl fit: memory"
.venv/bin/python scripts/bench/memory.py --data "$photos" --model "$model"

title "Pillow's pixels beside TensorFlow's, which are tftl's"
.venv/bin/python scripts/bench/pillow.py "$photos"

title "reading, decoding and resizing alone, beside tf.data"
if [ -n "$(find -L "$photos" -iname '*.jpg' -o -iname '*.jpeg' | head -1)" ]; then
	.venv/bin/python scripts/bench/input.py "$photos"
else
	echo "$photos has no JPEGs; DATA=DIR takes a folder of them"
fi
