#!/bin/sh
# demo.sh MODEL DATA [SEED...]: trains a head on a folder of photographs, evaluates it on the test
# part, and says where the results are. Each seed splits and trains differently; with several the
# last run is kept and the mean is printed at the end. `make demo` runs it.
set -eu
model=$1
data=$2
shift 2
[ $# -gt 0 ] || set -- 1
run=runs/demo-$(basename "$(realpath "$data")")
accuracies=$(mktemp)
trap 'rm -f "$accuracies"' EXIT

show() {
	echo "\$ $*" >&2
	"$@"
}

for seed in "$@"; do
	show bin/tftl fit --data "$data" --model "$model" --split-exact --seed "$seed" -b 16 \
		--output "$run" --overwrite
	show bin/tftl evaluate --model "$run" >"$run/evaluation.txt"
	cat "$run/evaluation.txt"
	sed -n 's/^balanced accuracy *\([0-9.]*\).*/\1/p' "$run/evaluation.txt" >>"$accuracies"
done

cat <<END

$run/
  model/            the trained SavedModel
  report.html       the results above and more as a web page; report.md is a summary
  evaluation.json   the same for programs; evaluation.txt is the table above
  predictions.csv   the predictions for each test photograph
  history.jsonl     the metrics of each epoch; config.json has every option

Next: bin/tftl predict --model $run PHOTOGRAPHS
END
[ $# -eq 1 ] || awk -v seeds="$*" '{ sum += $1; all = all " " $1 }
	END { printf "\nBalanced accuracy, seeds %s:%s; mean %.4f\n", seeds, all, sum / NR }' "$accuracies"
