#!/bin/sh
# depth.sh DIR [SEED …]: measures how deep to fine-tune VGG16 on cats and dogs with 60 training
# images per class: validation and test accuracy of each stage, and what --stage auto chooses.
#
# DIR has cats/cat.N.jpg and dogs/dog.N.jpg as for cats_dogs.sh. Each seed draws 60 training images
# per class from cats-dogs.csv and uses all its validation and test images. Each stage starts from
# the one before. MODEL is the exported network (default: savedmodels/vgg16). WORK is a folder to
# keep the runs in (default: a temporary one); finished runs in it are skipped.
set -eu
die() { echo "depth: $*" >&2; exit 1; }
[ $# -ge 1 ] || die "usage: scripts/bench/depth.sh DIR [SEED …]"
[ -d "$1" ] || die "$1: no such folder"
photos=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- 1 2 3 4 5
model=$(realpath "${MODEL:-$(dirname "$0")/../../savedmodels/vgg16}")
cd "$(dirname "$0")/../.."
[ -x bin/tftl ] || die "bin/tftl is missing: make build"
[ -d "$model" ] || die "$model is missing: scripts/export.py makes it"
if [ -n "${WORK:-}" ]; then
	work=$WORK
	mkdir -p "$work"
else
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
fi

fit() { # run, seed, more options
	run=$1 seed=$2
	shift 2
	[ ! -f "$run/evaluation.json" ] || return 0
	bin/tftl fit --data "$work/$seed.csv" --allow-outside --model "$model" --seed "$seed" --cache-dir "$work/cache" \
		--epochs 5 --patience 2 --lr 1e-4 --output "$run" --overwrite --quiet "$@" >/dev/null
	bin/tftl evaluate --model "$run" --quiet >/dev/null
}

for seed in "$@"; do
	.venv/bin/python - "$photos" "$seed" >"$work/$seed.csv" <<'END'
import csv, random, sys

photos, seed = sys.argv[1], int(sys.argv[2])
rows = list(csv.DictReader(open("scripts/bench/cats-dogs.csv")))
random.seed(seed)
out = csv.writer(sys.stdout)
out.writerow(["path", "label", "split"])
for label in ("cats", "dogs"):
    train = [r for r in rows if r["label"] == label and r["split"] == "train"]
    for row in random.sample(train, 60) + [r for r in rows if r["label"] == label and r["split"] != "train"]:
        out.writerow([f"{photos}/{row['path']}", label, row["split"]])
END
	before=
	for stage in head block5 block4 block3 block2 block1; do
		rate=1e-5
		[ "$stage" != head ] || rate=1e-4
		fit "$work/$seed-$stage" "$seed" --stage "$stage:lr=$rate" ${before:+--init-from "$before"}
		before=$work/$seed-$stage
	done
	fit "$work/$seed-auto" "$seed" --stage auto
done
.venv/bin/python scripts/bench/depth.py "$work" "$@"
