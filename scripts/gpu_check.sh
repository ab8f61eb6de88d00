#!/bin/sh
# gpu_check.sh: tries everything on a machine with a GPU and without a network, and writes what held
# into build/gpu-check.md, a row at a time, the most important first.
#
#   scripts/gpu_check.sh CARRIED      install from CARRIED/wheels and CARRIED/go
#   scripts/gpu_check.sh --rehearse   the same steps on the CPU, with what is installed; GPU= takes
#                                     the CPU build of TensorFlow
#
# Fill CARRIED where there is a network, and carry it over with this repository:
#
#   python3 -m pip download --require-hashes --dest CARRIED/wheels --requirement scripts/requirements-gpu.txt
#   GOMODCACHE=$PWD/CARRIED/go go mod download
#
# The machine needs what docs/install.md lists, the same versions of Python and Go, and NVIDIA's
# driver. Each step is given up after some minutes.
set -eu
script=$(realpath "$0")
case ${1:-} in '' | -*) ;; *) carried=$(cd "$1" && pwd) ;; esac
cd "$(dirname "$script")/.."
table=build/gpu-check.md work=build/gpu-check model=build/gpu-check/vgg16 photos=build/testdata/photos
export GPU="${GPU-1}" TF_CPP_MIN_LOG_LEVEL=3
python=.venv${GPU:+-gpu}/bin/python
cusolver=$PWD/build/gpu/libtensorflow/nvidia/cusolver/lib # see the Makefile

fit() { # output, options: the head, then a block of convolutions, with an empty cache
	out=$1
	shift
	bin/tftl fit --data $photos --model $model --stage head --stage block5 --epochs 3 -b 16 --lr 1e-3 \
		--device "$DEVICE" --cache ram --output "$work/$out" --overwrite --quiet "$@"
}

last_loss() { sed -n 's/.*"val_loss":\([0-9.e-]*\).*/\1/p' "$work/$1/history.jsonl" | tail -n 1; }

# The steps. The last line that each prints goes into the table.

set_up() {
	make build testdata bin/frozen
	rm -rf $model
	$python scripts/export.py --backbone vgg16 --weights none --head gap --image-size 96 --output $model
	bin/tftl version --device "$DEVICE" | sed -n 's/^devices *//p'
}

cuda_libraries() { # with a stand-in for the driver
	if [ "$DEVICE" != cpu ] || [ -z "$GPU" ]; then
		echo "only in a rehearsal with TensorFlow's CUDA build" && return
	fi
	scripts/cuda_libraries.sh >"$work/libraries.txt"
	echo "$(wc -l <"$work/libraries.txt") are found"
}

two_runs() {
	for precision in $PRECISIONS; do
		for run in one two; do
			fit "$precision-$run" --precision "$precision"
		done
		for file in history.jsonl checkpoints/last/ckpt.data-00000-of-00001; do
			cmp "$work/$precision-one/$file" "$work/$precision-two/$file"
		done
	done
	echo "the same bits in $PRECISIONS"
}

as_in_keras() {
	TF_DETERMINISTIC_OPS=1 NVIDIA_TF32_OVERRIDE=0 $python -m pytest -q -s scripts/tests/test_parity.py scripts/tests/test_end_to_end.py \
		-k "parity and not ${QUICK:-nothing} or fit_trains_as_keras" >"$work/keras.txt" || { cat "$work/keras.txt" && return 1; }
	cat "$work/keras.txt"
	most=$(sed -n 's/.*loss[es]* \([0-9.]*e-[0-9]*\).*/\1/p' "$work/keras.txt" | sort -g | tail -n 1)
	echo "$(tail -n 1 "$work/keras.txt"); losses differ by $most of the largest at most"
}

precisions() { # of the runs of two_runs
	for precision in $PRECISIONS; do
		printf '%s %s; ' "$precision" "$(last_loss "$precision-one")"
	done
	echo "the last val_loss"
}

waiting() {
	$python - "$work"/*-one/timing.jsonl <<-'END'
		import json, sys
		for file in sys.argv[1:]:
		    passes = [line for line in map(json.loads, open(file)) if line["phase"] == "features"]
		    spent, waited = (sum(line[key] for line in passes) for key in ("seconds", "waiting"))
		    print(f"{file.split('/')[-2].removesuffix('-one')}: {waited:.1f} of {spent:.1f} s;", end=" ")
		print("the frozen pass, waiting for images")
	END
}

out_of_memory() {
	[ "$DEVICE" = gpu ] || { echo "only on a GPU" && return; }
	fit memory --cache off -b 64 --gpu-memory 256MiB 2>"$work/memory.txt" && return 1
	cat "$work/memory.txt"
	grep -m 1 'out of memory with a batch of' "$work/memory.txt"
}

speed() {
	$python scripts/bench/peers.py $photos --networks resnet50 --images "$IMAGES" --rounds 1 --epochs 3 \
		--programs tftl Keras "Keras, features once" >"$work/speed.md"
	echo "below"
}

tests_in_python() {
	$python -m pytest -q scripts/tests/test_training.py scripts/tests/test_class_weights.py scripts/tests/test_serving.py
}

tests_in_go() {
	eval "$(make env)"
	go test -timeout 10m ./savedmodels ./pipeline/pixels
	go test -timeout 10m -run 'TestScripts/(fit|resume|cache|repeat|evaluate)$' ./cmd/tftl
}

# step NAME SECONDS FUNCTION runs a step in a process of its own, and adds its row.
step() {
	start=$(date +%s) result=held log=$work/$3.txt
	echo "gpu_check: $1" >&2
	timeout $(($2 * SLOW)) "$script" --step "$3" >"$log" 2>&1 || {
		[ $? -ne 124 ] || echo "given up" >>"$log"
		result=failed
		failed="$failed $3"
	}
	seen=$(tail -n 1 "$log" | tr '|' ' ' | cut -c 1-200)
	echo "| $1 | $result | $(($(date +%s) - start)) | $seen |" | tee -a $table >&2
}

case ${1:-} in
--step)
	[ -z "$GPU" ] || export LD_LIBRARY_PATH="$cusolver${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
	"$2"
	exit
	;;
--rehearse)
	export DEVICE=cpu PRECISIONS="float32 auto" IMAGES=20 QUICK=25_steps SLOW=5 CUDA_VISIBLE_DEVICES=-1
	;;
-* | '')
	sed -n '2,/^set/{/^set/d; s/^# \{0,1\}//; p}' "$script" >&2
	exit 2
	;;
*)
	export DEVICE=gpu PRECISIONS="float32 tf32 float16" IMAGES=200 SLOW=1
	wheels=$(echo "$carried/wheels" | sed 's/ /%20/g') # pip splits at spaces
	export PIP_NO_INDEX=1 PIP_FIND_LINKS="file://$wheels" GOMODCACHE="$carried/go" GOPROXY=off
	;;
esac

rm -rf $work
mkdir -p $work
failed=''
printf '| step | result | seconds | what it said last |\n|---|---|---|---|\n' >$table
step "set up, build, find the device" 420 set_up
step "CUDA's libraries" 60 cuda_libraries
step "two runs, bit for bit" 180 two_runs
step "losses as in Keras, without TF32" 180 as_in_keras
step "other precisions" 10 precisions
step "waiting for images" 20 waiting
step "out of memory" 60 out_of_memory
step "speed" 240 speed
step "tests in Python" 240 tests_in_python
step "tests in Go" 300 tests_in_go
[ ! -s $work/speed.md ] || { echo && cat $work/speed.md; } >>$table
[ -z "$failed" ] || {
	echo "gpu_check: failed:$failed; $work has what was printed" >&2
	exit 1
}
