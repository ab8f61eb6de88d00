#!/bin/sh
# demo.sh MODEL DATA [SEED...]: train a head on a folder of photographs, measure it on the part
# held out, and say where the results are. With several seeds, of the split and of the training,
# the last run stays and the mean comes at the end. `make demo` runs it.
set -eu
model=$1
data=$2
shift 2
[ $# -gt 0 ] || set -- 1
run=runs/demo-$(basename "$(realpath "$data")")
figures=$(mktemp)
trap 'rm -f "$figures"' EXIT

show() {
	echo "\$ $*" >&2
	"$@"
}

for seed in "$@"; do
	show bin/tftl fit --data "$data" --model "$model" --split-exact --seed "$seed" \
		--epochs 30 --patience 10 -b 16 --lr 3e-3 --output "$run" --overwrite
	show bin/tftl evaluate --model "$run" >"$run/evaluation.txt"
	cat "$run/evaluation.txt"
	sed -n 's/^balanced accuracy *\([0-9.]*\).*/\1/p' "$run/evaluation.txt" >>"$figures"
done

cat <<END

$run/
  model/            the trained SavedModel
  report.html       the figures above and more as a page, report.md in brief
  evaluation.json   the same for programs; evaluation.txt is the table
  predictions.csv   what it said of each test photograph
  history.jsonl     each epoch's figures; config.json has every option

Next: bin/tftl predict --model $run PHOTOGRAPHS
END
[ $# -eq 1 ] || awk -v seeds="$*" '{ sum += $1; all = all " " $1 }
	END { printf "\nBalanced accuracy, seeds %s:%s; mean %.4f\n", seeds, all, sum / NR }' "$figures"
