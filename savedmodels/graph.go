package savedmodels

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tfgo"

	"tftl/internal/tensor"
	"tftl/pipeline"
)

// graph is one MetaGraph in a session of its own. This file is the only one
// that calls tfgo, which panics on every error: try turns its panics into
// errors, and nothing else may.
type graph struct {
	model *tfgo.Model
	def   *metaGraphPB
}

// open loads the MetaGraph with these tags, its variables too.
func open(dir string, def *metaGraphPB, r *Runtime) (g *graph, err error) {
	tags := def.GetMetaInfoDef().GetTags()
	err = literal(dir, func(path string) error {
		err := try(func() { g = &graph{model: tfgo.LoadModel(path, tags, r.config), def: def} })
		if err != nil {
			return pipeline.Errorf(pipeline.BadModel, "model %s: cannot load %s: %w", dir, strings.Join(tags, ", "), err)
		}
		return nil
	})
	return g, err
}

// feeds are a call's inputs by name. The call takes them: they are freed.
type feeds map[string]*tf.Tensor

// call runs a signature. The caller frees what it returns.
func (g *graph) call(ctx context.Context, signature string, inputs feeds, outputs ...string) ([]*tf.Tensor, error) {
	defer func() {
		for _, t := range inputs {
			tensor.Free(t)
		}
	}()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	def := g.def.GetSignatureDef()[signature]
	if def == nil {
		return nil, pipeline.Errorf(pipeline.BadModel, "signature %q is missing", signature)
	}
	// Some kernels end the process over a tensor of another rank.
	for name, t := range inputs {
		if want := shape(def.Inputs[name]); !fits(want, t.Shape()) {
			return nil, fmt.Errorf("signature %q: %s has shape %v, not %v", signature, name, t.Shape(), want)
		}
	}
	var results []*tf.Tensor
	err := try(func() {
		feed := make(map[tf.Output]*tf.Tensor, len(inputs))
		for name, t := range inputs {
			feed[g.output(def.Inputs[name].GetName())] = t
		}
		fetch := make([]tf.Output, len(outputs))
		for i, name := range outputs {
			fetch[i] = g.output(def.Outputs[name].GetName())
		}
		results = g.model.Exec(fetch, feed)
	})
	if err != nil {
		return nil, fmt.Errorf("signature %q: %w", signature, err)
	}
	return results, nil
}

// save writes the MetaGraph's variables at a path prefix, restore reads them,
// both by the operations that its saver_def names.
func (g *graph) save(ctx context.Context, prefix string) error {
	return g.saver(ctx, prefix, g.def.GetSaverDef().GetSaveTensorName())
}

func (g *graph) restore(ctx context.Context, prefix string) error {
	dir, base := filepath.Split(prefix)
	return literal(dir, func(dir string) error {
		return g.saver(ctx, filepath.Join(dir, base), g.def.GetSaverDef().GetRestoreOpName()+":0")
	})
}

// literal gives use a path to dir that is no pattern: TensorFlow looks for a
// checkpoint's files as a shell would, and finds none where a folder is named
// "photos [1]".
func literal(dir string, use func(dir string) error) error {
	if !strings.ContainsAny(dir, `*?[\`) {
		return use(dir)
	}
	target, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "tftl-")
	if err != nil {
		return fmt.Errorf("%s: a path with one of *?[\\ in it takes a folder for temporary files, which TMPDIR names: %w", dir, err)
	}
	defer os.RemoveAll(tmp)
	link := filepath.Join(tmp, "link")
	if err := os.Symlink(target, link); err != nil {
		return err
	}
	return use(link)
}

func (g *graph) saver(ctx context.Context, prefix, fetch string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name, err := tf.NewTensor(prefix)
	if err != nil {
		return err
	}
	defer tensor.Free(name)
	return try(func() {
		in := g.output(g.def.GetSaverDef().GetFilenameTensorName())
		results := g.model.Exec([]tf.Output{g.output(fetch)}, map[tf.Output]*tf.Tensor{in: name})
		tensor.Free(results...)
	})
}

// output finds a tensor by its name in the graph, "operation:index". It panics
// as tfgo does, within try.
func (g *graph) output(name string) tf.Output {
	operation, index, _ := strings.Cut(name, ":")
	i, err := strconv.Atoi(index)
	if err != nil {
		panic(fmt.Errorf("tensor name %q has no index", name))
	}
	return g.model.Op(operation, i)
}

// close lets the session go. tfgo closes it in a finalizer alone, so the
// collector is asked to run it.
func (g *graph) close() {
	g.model = nil
	runtime.GC()
}

// try runs f and returns what it panicked with as an error.
func try(f func()) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error: // a bug of ours, not tfgo's way to report
			panic(p)
		case error:
			err = firstLine(p)
		default:
			err = firstLine(fmt.Errorf("%v", p))
		}
	}()
	f()
	return nil
}

// firstLine keeps what TensorFlow says and drops the graph's stack below it.
func firstLine(err error) error {
	line, rest, more := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	if !more && rest == "" {
		return err
	}
	return errors.New(strings.TrimSpace(line))
}
