#!/bin/sh
# cats_dogs.sh DIR: trains a head on VGG16 to tell cats from dogs, with learning rate 1e-4 and three
# seeds.
#
# DIR has cats/cat.N.jpg and dogs/dog.N.jpg, named as in Kaggle's data set. It needs the images
# that cats-dogs.csv lists: 400 for training, 100 for validation and 100 for testing. They are
# linked, not copied. MODEL is the exported network (default: savedmodels/vgg16).
set -eu
die() { echo "cats_dogs: $*" >&2; exit 1; }
[ $# -eq 1 ] || die "usage: scripts/bench/cats_dogs.sh DIR"
[ -d "$1" ] || die "$1: no such folder"
photos=$(cd "$1" && pwd)
model=$(realpath "${MODEL:-$(dirname "$0")/../../savedmodels/vgg16}")
cd "$(dirname "$0")/../.."
[ -x bin/tftl ] || die "bin/tftl is missing: make build"
[ -d "$model" ] || die "$model is missing: scripts/export.py makes it"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tail -n +2 scripts/bench/cats-dogs.csv | while IFS=, read -r path label split; do
	[ -f "$photos/$path" ] || die "$photos/$path is missing"
	mkdir -p "$work/data/$split/$label"
	ln -s "$photos/$path" "$work/data/$split/$label/"
done

for seed in 1 2 3; do
	bin/tftl fit --data "$work/data" --model "$model" --output "$work/seed-$seed" \
		--cache-dir "$work/cache" --seed "$seed" --epochs 10 --lr 1e-4
	bin/tftl evaluate --model "$work/seed-$seed" --quiet
done
.venv/bin/python scripts/bench/timing.py "$work"/seed-*
.venv/bin/python - "$work"/seed-*/evaluation.json <<'END'
import json, sys

accuracies = [json.load(open(path))["accuracy"] for path in sys.argv[1:]]
print("test accuracy:", *(f"{a:.3f}" for a in accuracies), f"mean {sum(accuracies) / len(accuracies):.4f}")
END
