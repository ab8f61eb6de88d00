package savedmodels

import (
	"os"
	"runtime"
	"slices"
	"strings"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/galeone/tensorflow/tensorflow/go/op"
	"google.golang.org/protobuf/proto"

	"tftl/internal/tensor"
)

// oneDNN reports whether TensorFlow's oneDNN kernels are on. TensorFlow reads the
// variable when it loads; internal/libtensorflow sets it to 1 if it is not set.
func oneDNN() bool {
	value := strings.ToLower(os.Getenv("TF_ENABLE_ONEDNN_OPTS"))
	return value != "0" && value != "false"
}

// computesInt8 reports whether TensorFlow has kernels for convolutions in int8: oneDNN
// on x86-64 Linux. Without, they fail when they are run.
func computesInt8() bool { return runtime.GOOS == "linux" && runtime.GOARCH == "amd64" && oneDNN() }

// oneDNNLimit returns the instruction set to which the user limits oneDNN, or
// empty.
func oneDNNLimit() string {
	limit := strings.ToLower(os.Getenv("ONEDNN_MAX_CPU_ISA"))
	if limit == "default" || limit == "all" {
		return ""
	}
	return limit
}

// fastBFloat16 reports whether the processor has instructions for bfloat16 that
// oneDNN may use.
func fastBFloat16() bool {
	limit := oneDNNLimit()
	allowed := limit == "" || strings.Contains(limit, "bf16") || strings.Contains(limit, "amx")
	return allowed && hasBFloat16()
}

// computesBFloat16 reports whether a small convolution rounds differently in
// float32 and in bfloat16. If TensorFlow has no bfloat16 kernel, it silently
// computes in float32.
func computesBFloat16() bool {
	exact, err := probe(false)
	if err != nil {
		return false
	}
	rounded, err := probe(true)
	return err == nil && !slices.Equal(exact, rounded)
}

// probe runs a convolution on [1,8,8,16] values that bfloat16 must round.
func probe(bfloat16 bool) ([]float32, error) {
	rewrite := &for_core_protos_go_proto.RewriterConfig{MinGraphNodes: -1}
	if bfloat16 {
		rewrite.AutoMixedPrecisionOnednnBfloat16 = for_core_protos_go_proto.RewriterConfig_ON
	}
	config, err := proto.Marshal(&for_core_protos_go_proto.ConfigProto{
		DeviceCount:  map[string]int32{"GPU": 0},
		GraphOptions: &for_core_protos_go_proto.GraphOptions{RewriteOptions: rewrite},
	})
	if err != nil {
		return nil, err
	}
	s := op.NewScope()
	images := op.Placeholder(s.SubScope("images"), tf.Float, op.PlaceholderShape(tf.MakeShape(1, 8, 8, 16)))
	kernel := op.Placeholder(s.SubScope("kernel"), tf.Float, op.PlaceholderShape(tf.MakeShape(3, 3, 16, 16)))
	convolved := op.Conv2D(s, images, kernel, []int64{1, 1, 1, 1}, "SAME")
	out := op.Relu(s, op.Relu(s.SubScope("below"), convolved)) // a fetched operation is not rewritten
	graph, err := s.Finalize()
	if err != nil {
		return nil, err
	}
	session, err := tensor.NewSession(graph, &tf.SessionOptions{Config: config})
	if err != nil {
		return nil, err
	}
	defer session.Close()
	feed := map[tf.Output]*tf.Tensor{}
	for output, shape := range map[tf.Output][]int64{images: {1, 8, 8, 16}, kernel: {3, 3, 16, 16}} {
		t, err := tf.NewTensor(thirds(shape))
		if err != nil {
			return nil, err
		}
		defer tensor.Free(t)
		feed[output] = t
	}
	results, err := session.Run(feed, []tf.Output{out}, nil)
	if err != nil {
		return nil, err
	}
	defer tensor.Free(results...)
	return slices.Clone(tensor.View(results[0])), nil
}

// thirds returns values in four dimensions. Few of them are exact in bfloat16.
func thirds(shape []int64) [][][][]float32 {
	k := 0
	next := func() float32 { k++; return float32(k%17) / 3 }
	values := make([][][][]float32, shape[0])
	for a := range values {
		values[a] = make([][][]float32, shape[1])
		for b := range values[a] {
			values[a][b] = make([][]float32, shape[2])
			for c := range values[a][b] {
				values[a][b][c] = make([]float32, shape[3])
				for d := range values[a][b][c] {
					values[a][b][c][d] = next()
				}
			}
		}
	}
	return values
}
