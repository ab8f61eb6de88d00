#!/bin/sh
# recipes.sh CATS_DOGS FLOWERS: prints the rows of the tables in docs/training.md; hours.
#
# CATS_DOGS and FLOWERS are folders with one folder of photographs per class, such as Kaggle's Dogs
# vs. Cats and Flowers Recognition. The two small sets are those of `make demo` and `make
# demo-plants`. Rows are kept in build/bench/recipes, one file each; delete one to measure it again.
set -eu
die() { echo "recipes: $*" >&2; exit 1; }
[ $# -eq 2 ] || die "usage: scripts/bench/recipes.sh CATS_DOGS FLOWERS"
cats_dogs=$(cd "$1" && pwd) flowers=$(cd "$2" && pwd)
cd "$(dirname "$0")/../.."
[ -x bin/tftl ] || die "bin/tftl is missing: make build"
[ -d build/demo/animals ] && [ -d build/demo/plants ] || die "build/demo is missing: make demo demo-plants"
work=build/bench/recipes
mkdir -p "$work"

network() { # BACKBONE HEAD: prints the folder of the export, and makes it if it is missing
	folder=$work/$1-$2
	[ -d "$folder" ] || "${VENV:-.venv}/bin/python" scripts/export.py --backbone "$1" --weights registry --head "$2" \
		--output "$folder" >&2
	echo "$folder"
}

data() { # SET: prints the folder and the number of images to use
	case $1 in
	cats-dogs) echo "$cats_dogs --train 320 --val 100 --test 180" ;;
	flowers) echo "$flowers --train 500 --val 200 --test 500" ;;
	uneven) echo "$flowers --train 300,150,80,40,20 --val 200 --test 500 --metrics loss,balanced_accuracy" ;;
	*) echo "build/demo/$1 --seeds 20" ;; # 70%, 15% and 15% of all: few, hence more seeds
	esac
}

row() { # BACKBONE HEAD SET WITHOUT WITH [OPTION …]
	backbone=$1 head=$2 set=$3 without=$4 with=$5
	shift 5
	file=$work/$(echo "$backbone $head $set $without $with" | tr -c 'A-Za-z0-9.\n' _).md
	if [ ! -s "$file" ]; then
		model=$(network "$backbone" "$head")
		# shellcheck disable=SC2046 # words
		"${VENV:-.venv}/bin/python" scripts/bench/recipe.py $(data "$set") --model "$model" --without "$without" --with "$with" \
			--name "$backbone, $head | $set | ${without:-default} | ${with:-default}" "$@" >"$file.tmp" 2>"$file.log" ||
			die "see $file.log"
		mv "$file.tmp" "$file"
	fi
	cat "$file"
}

for set in cats-dogs animals plants flowers; do
	for backbone in vgg16 efficientnet_lite0 xception; do
		row "$backbone" flatten "$set" keras ''
		row "$backbone" gap "$set" keras '' --keras-lr 1e-3
	done
done

echo
for set in cats-dogs animals plants flowers; do
	for backbone in vgg16 efficientnet_lite0 xception; do
		row "$backbone" flatten "$set" '--feature-scale none' '' --seeds 5
		row "$backbone" gap "$set" '--feature-scale none' ''
	done
done

echo
for set in cats-dogs flowers; do
	row vgg16 flatten "$set" '--output-init glorot' ''
	row vgg16 flatten "$set" '' '--tune 50'
	for backbone in vgg16 efficientnet_lite0 xception; do
		row "$backbone" gap "$set" '--output-init glorot' ''
		row "$backbone" gap "$set" '' '--tune 50'
	done
	row vgg16 gap "$set" '' '--stage auto'
	row efficientnet_lite0 gap "$set" '' '--stage auto'
	row efficientnet_lite0 gap "$set" '' '--augment light --augment-copies 5'
	row efficientnet_lite0 gap "$set" '' '--label-smoothing 0.1'
	row efficientnet_lite0 gap "$set" '' '--mixup 0.2'
done

echo
for backbone in vgg16 efficientnet_lite0 xception; do
	row "$backbone" gap uneven '' '--class-weights balanced'
	row "$backbone" gap uneven '' '--sampler balanced'
done
