package main

import (
	"bytes"
	"strings"
	"testing"
)

// Invalid options give exit code 2 and a line that says what is valid, before
// anything is opened: none of these folders exist. testdata/usage.txtar has the
// rest.
func TestUsage(t *testing.T) {
	for arguments, want := range map[string]string{
		"train":     `unknown command "train"`,
		"--verbos":  "unknown flag --verbos",
		"fit":       "--data is missing",
		"evaluate":  "--model is missing",
		"predict a": "--model is missing",

		"fit --zzz":                           "unknown flag --zzz",
		"fit --data p":                        "--model is missing",
		"fit --model m --data":                "--data needs a value",
		"fit --data p --model m --epoch 3":    "unknown flag --epoch",
		"fit p --model m --data p":            `unexpected argument "p"`,
		"evaluate --model m p":                `unexpected argument "p"`,
		"version now":                         `unexpected argument "now"`,
		"completion":                          "expected one shell of bash, zsh, fish, got 0",
		"completion bash zsh":                 "expected one shell of bash, zsh, fish, got 2",
		"completion tcsh":                     `shell "tcsh": must be one of bash, zsh, fish`,
		"man fit":                             `unexpected argument "fit"`,
		"launch -n 2":                         "expected a command, such as: tftl launch -n 4 -- fit",
		"launch -n 0 -- version":              "--processes 0: must be 1 or more",
		"launch -n 2 fit --data p":            "unknown flag --data",
		"launch -n 2 -- fit --data":           "--data needs a value",
		"run":                                 "expected one file, got 0",
		"run a.yaml b.yaml":                   "expected one file, got 2",
		"compare a":                           "expected two runs, got 1",
		"compare a b --no-worse-than x":       `--no-worse-than "x": must be a number`,
		"compare a b --no-worse-than NaN":     "--no-worse-than NaN: must be 0 or more",
		"fit --data p --model m --json=maybe": `--json "maybe": must be true or false`,

		"fit --data p --model m --epochs ten":                 `--epochs "ten": must be a whole number`,
		"fit --data p --model m --epochs 1.5":                 `--epochs "1.5": must be a whole number`,
		"fit --data p --model m --max-time 5":                 `--max-time "5": must be a time with its unit`,
		"fit --data p --model m --epochs 9223372036854775808": `--epochs "9223372036854775808": is out of range`,
		"fit --data p --model m --epochs 0":                   "--epochs 0: must be 1 or more",
		"fit --data p --model m -b 0":                         "--batch-size 0: must be 1 or more",
		"fit --data p --model m --batch-size -32":             "--batch-size -32: must be 1 or more",
		"fit --data p --model m --lr NaN":                     "--lr NaN: must be a number above 0",
		"fit --data p --model m --lr -0.1":                    "--lr -0.1: must be a number above 0",
		"fit --data p --model m --lr 0":                       "--lr 0: must be a number above 0",
		"fit --data p --model m --lr inf":                     "--lr +Inf: must be a number above 0",
		"fit --data p --model m --lr 1e-4x":                   `--lr "1e-4x": must be a number`,
		"fit --data p --model m --units -1":                   `--units "-1": must be whole numbers from 1 to 65536, separated by commas`,
		"fit --data p --model m --units 0":                    `--units "0": must be whole numbers from 1 to 65536, separated by commas`,
		"fit --data p --model m --patience -1":                "--patience -1: must be 0 or more",
		"fit --data p --model m --min-delta NaN":              "--min-delta NaN: must be 0 or more",
		"fit --data p --model m --dropout 1":                  "--dropout 1: must be from 0 to below 1",
		"fit --data p --model m --dropout NaN":                "--dropout NaN: must be from 0 to below 1",
		"fit --data p --model m --momentum -0.5":              "--momentum -0.5: must be from 0 to below 1",
		"fit --data p --model m --weight-decay -1":            "--weight-decay -1: must be 0 or more",
		"fit --data p --model m --weight-decay +inf":          "--weight-decay +Inf: must be 0 or more",
		"fit --data p --model m --l2 -1":                      "--l2 -1: must be 0 or more",
		"fit --data p --model m --clip-norm -1":               "--clip-norm -1: must be 0 or more",
		"fit --data p --model m --seed -1":                    `--seed "-1": must be a whole number, 0 or more`,
		"fit --data p --model m -j -1":                        "--workers -1: must be 0 or more",
		"fit --data p --model m --threads -1":                 "--threads -1: must be 0 or more",
		"fit --data p --model m --split 0.7,0.3":              `--split "0.7,0.3": must be three fractions`,
		"fit --data p --model m --split a,b,c":                `--split "a,b,c": must be three fractions`,
		"fit --data p --model m --cache-size lots":            `--cache-size "lots": must be a size such as 500MB or 2GiB`,
		"fit --data p --model m --cache-size -1GB":            `"-1GB"`,
		"fit --data p --model m --cache-size 1XB":             `"1XB"`,
		"evaluate --model m -b 0":                             "--batch-size 0: must be 1 or more",
		"predict --model m -b 0 a":                            "--batch-size 0: must be 1 or more",
		"evaluate --model m --rescale half":                   `--rescale "half": must be a number above 0 or a fraction such as 1/255`,
		"evaluate --model m --rescale 1/0":                    `--rescale "1/0"`,
		"evaluate --model m --rescale -1":                     `--rescale "-1"`,
		"evaluate --model m --labels none":                    "--labels: open none: no such file or directory",

		"fit --data p --model m --sampler even":                                `--sampler "even": must be shuffle or balanced`,
		"fit --data p --model m --mixup -0.1":                                  "--mixup -0.1: must be 0, or from 0.01 to 2",
		"fit --data p --model m --mixup NaN":                                   "--mixup NaN: must be 0, or from 0.01 to 2",
		"fit --data p --model m --cutmix 3":                                    "--cutmix 3: must be 0, or from 0.01 to 2",
		"fit --data p --model m --cutmix 1 --augment light --augment-copies 3": "--cutmix 1: needs the pixels, but --augment-copies 3 caches features",

		"fit --data p --model m --monitor val_los":  `--monitor "val_los": must be one of loss, accuracy, val_`,
		"fit --data p --model m --cache tape":       `--cache "tape": must be disk, ram or off`,
		"fit --data p --model m --precision half":   `--precision "half": must be auto, float32, tf32, bfloat16, float16 or int8`,
		"fit --data p --model m --device tpu":       `--device "tpu": must be auto, cpu, gpu or gpu:N`,
		"fit --data p --model m --device gpu:first": `--device "gpu:first"`,
		"version --device tpu":                      `--device "tpu"`,
		"evaluate --model m --resamples -1":         "--resamples -1: must be 0 or more",
		"evaluate --model m --top-k 1":              "--top-k 1: must be 2 or more",
		"evaluate --model m --gate-on upper":        `--gate-on "upper": must be value or lower`,
		"evaluate --model m --min accuracy":         `--min "accuracy": must be NAME=X`,
		"evaluate --model m --min recall=all":       `--min "recall=all": "all" is not a number`,
		"evaluate --model m --max acuracy=0.9":      `--max acuracy=0.9: metric "acuracy": must be one of `,
		"evaluate --model m --min accuracy=95":      `--min "accuracy=95": accuracy is never above 1`,
		"evaluate --model m --summary - --json":     "--summary - and --json exclude each other",
		"evaluate --model m --junit none/x.xml":     "--junit none/x.xml: its folder does not exist",
		"evaluate --model m --threshold NaN":        `--threshold "NaN": must be f1, argmax, or above 0 and at most 1`,
		"evaluate --model m --temperature inf":      `--temperature "inf": must be fit or a number from 0.001 to 1000`,
		"evaluate --model m --part dev --slice":     "--slice needs a value",
		"predict --model m --top-k -1 a":            "--top-k -1: must be 1 or more",
		"predict --model m --json --csv a":          "--json and --csv exclude each other",
		"predict --model m":                         "expected images or folders, got none",
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append([]string{"tftl"}, strings.Fields(arguments)...), &stdout, &stderr)
		if code != exitUsage || stdout.Len() > 0 || !strings.HasPrefix(stderr.String(), "tftl: ") || !strings.Contains(stderr.String(), want) {
			t.Errorf("tftl %s: exit code %d, stdout %q, stderr %q, want %q", arguments, code, stdout.String(), stderr.String(), want)
		}
		if err := wellSaid(stderr.String(), true); err != nil {
			t.Errorf("tftl %s: %v", arguments, err)
		}
	}
}
