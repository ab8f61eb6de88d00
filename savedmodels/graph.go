package savedmodels

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/galeone/tfgo"

	"tftl/internal/tensor"
	"tftl/pipeline"
)

// graph is one MetaGraph, or a part of one, in its own session. Only this file
// calls tfgo, which panics on every error: try turns its panics into errors.
type graph struct {
	model session
	def   *metaGraphDef
	ready func() error // waits until the variables have values
	// assigned gives a part of a MetaGraph its values; nil for a whole one, which
	// has a saver.
	assigned *assigner
	ranges   []float32 // a part in int8 is given these with each call
}

// session runs a graph. Its methods panic on errors, as those of tfgo do.
type session interface {
	exec(fetch []tf.Output, feed map[tf.Output]*tf.Tensor) []*tf.Tensor
	op(name string, index int) tf.Output
}

// loaded is a session of tfgo.
type loaded struct{ *tfgo.Model }

func (m loaded) exec(fetch []tf.Output, feed map[tf.Output]*tf.Tensor) []*tf.Tensor {
	return m.Exec(fetch, feed)
}
func (m loaded) op(name string, index int) tf.Output { return m.Op(name, index) }

// open loads a MetaGraph with its variables.
func open(dir string, def *metaGraphDef, r *Runtime) (g *graph, err error) {
	if _, err := def.vetted(r); err != nil {
		return nil, def.refused(dir, err)
	}
	tags := def.GetMetaInfoDef().GetTags()
	err = literal(dir, func(path string) error {
		err := try(func() {
			g = &graph{model: loadTags(path, tags, r), def: def, ready: func() error { return nil }}
		})
		if err != nil {
			return def.refused(dir, err)
		}
		return nil
	})
	return g, err
}

// loadTags loads a MetaGraph, with tfgo unless its session is needed.
func loadTags(path string, tags []string, r *Runtime) session {
	if r.server == nil {
		return loaded{tfgo.LoadModel(path, tags, r.config)}
	}
	saved, err := tf.LoadSavedModel(path, tags, r.config)
	if err != nil {
		panic(err)
	}
	return &imported{saved.Graph, saved.Session}
}

// refused is the error for a MetaGraph that cannot be opened.
func (d *metaGraphDef) refused(dir string, err error) error {
	return pipeline.Errorf(pipeline.BadModel, "model %s: cannot load %s: %w", dir, strings.Join(d.GetMetaInfoDef().GetTags(), ", "), err)
}

// feeds are the inputs of a call by name. The call frees them.
type feeds map[string]*tf.Tensor

// call runs a signature. The caller frees the results.
func (g *graph) call(ctx context.Context, signature string, inputs feeds, outputs ...string) ([]*tf.Tensor, error) {
	defer func() {
		for _, t := range inputs {
			tensor.Free(t)
		}
	}()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if g.ranges != nil {
		var err error
		if inputs[inputRanges], err = tensor.Floats([]int64{int64(len(g.ranges))}, g.ranges); err != nil {
			return nil, err
		}
	}
	def := g.def.GetSignatureDef()[signature]
	if def == nil {
		return nil, pipeline.Errorf(pipeline.BadModel, "signature %q is missing", signature)
	}
	// Some kernels crash the process if a tensor has the wrong rank.
	var batch int64
	for name, t := range inputs {
		if s := t.Shape(); len(s) > 1 { // images, features or targets
			batch = s[0]
		}
		if want := shape(def.Inputs[name]); !fits(want, t.Shape()) {
			return nil, fmt.Errorf("signature %q: %s has shape %v, not %v", signature, name, t.Shape(), want)
		}
	}
	if err := g.ready(); err != nil {
		return nil, err
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
		exec := g.model.exec
		if m, ok := g.model.(*imported); ok && signature == signatureShared {
			exec = m.execTogether
		}
		results = exec(fetch, feed)
	})
	for i, name := range outputs {
		if err == nil {
			err = checkResult(name, def.Outputs[name], results[i])
		}
	}
	if err != nil {
		tensor.Free(results...)
		return nil, failed(signature, batch, err)
	}
	return results, nil
}

// failed is the error for a call with a batch of images that failed: the model's fault,
// unless memory ran out or the disk is full.
func failed(signature string, batch int64, err error) error {
	text := err.Error()
	says := func(word string) bool { return strings.Contains(text, word) }
	err = fmt.Errorf("signature %q: %w", signature, err)
	memory := slices.ContainsFunc([]string{"OOM", "allocat", "ut of memory", "ALLOC_FAILED"}, says)
	switch {
	case memory && batch > 0:
		return outOfMemory(signature, batch, err)
	case memory || signature == signatureSave:
		return err
	case says("eterministic GPU implementation"): // see repeatOnGPU
		return pipeline.WithHint(err, "set TF_DETERMINISTIC_OPS=0 for results that differ a little from one time to the next, or use %s cpu", pipeline.Option("device"))
	}
	return pipeline.Errorf(pipeline.BadModel, "%w", err)
}

func outOfMemory(signature string, batch int64, err error) error {
	err = fmt.Errorf("out of memory with a batch of %d images: %w", batch, err)
	size := pipeline.Option("batch-size")
	switch {
	case signature == signatureFeatures || signature == signatureConstant:
		return pipeline.WithHint(err,
			"the frozen pass has a batch size of its own: free some memory, use %s cpu, or a network of smaller images; with %s off, a smaller %s helps too",
			pipeline.Option("device"), pipeline.Option("cache"), size)
	case batch > 1:
		return pipeline.WithHint(err, "use a smaller batch: %s %d", size, batch/2)
	}
	return err
}

// checkResult checks that a result is what the signature declares: a graph may
// compute something else.
func checkResult(name string, declared *tensorPB, have *tf.Tensor) error {
	if want := tf.DataType(declared.GetDtype()); have.DataType() != want {
		return pipeline.Errorf(pipeline.BadModel, "%s is %s, but the model declares %s", name,
			dtypeName(types_go_proto.DataType(have.DataType())), dtypeName(declared.GetDtype()))
	}
	if want := shape(declared); !fits(want, have.Shape()) {
		return pipeline.Errorf(pipeline.BadModel, "%s has shape %v, but the model declares %v", name, have.Shape(), want)
	}
	return nil
}

// save writes the MetaGraph's variables to a path prefix, and restore reads them.
// Both use the operations named in its saver_def.
func (g *graph) save(ctx context.Context, prefix string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := g.ready(); err != nil {
		return err
	}
	return g.saver(prefix, g.def.GetSaverDef().GetSaveTensorName())
}

func (g *graph) restore(ctx context.Context, prefix string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := g.ready(); err != nil {
		return err
	}
	return g.saved(prefix)
}

// saved gives the variables the values of a checkpoint.
func (g *graph) saved(prefix string) error {
	dir, base := filepath.Split(prefix)
	return literal(dir, func(dir string) error {
		return g.saver(filepath.Join(dir, base), g.def.GetSaverDef().GetRestoreOpName()+":0")
	})
}

// literal calls use with a path to dir without pattern characters. TensorFlow
// treats a checkpoint's path as a shell pattern, so it would find no files in a
// folder named "photos [1]".
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
		return fmt.Errorf("%s: a path with *, ?, [ or \\ needs a folder for temporary files (set TMPDIR): %w", dir, err)
	}
	defer os.RemoveAll(tmp)
	link := filepath.Join(tmp, "link")
	if err := os.Symlink(target, link); err != nil {
		return err
	}
	return use(link)
}

func (g *graph) saver(prefix, fetch string) error {
	name, err := tf.NewTensor(prefix)
	if err != nil {
		return err
	}
	defer tensor.Free(name)
	return try(func() {
		in := g.output(g.def.GetSaverDef().GetFilenameTensorName())
		results := g.model.exec([]tf.Output{g.output(fetch)}, map[tf.Output]*tf.Tensor{in: name})
		tensor.Free(results...)
	})
}

// output returns the tensor with a name in the graph, "operation:index". Like
// tfgo it panics on errors, so call it within try.
func (g *graph) output(name string) tf.Output {
	operation, index, err := parseTensor(name)
	if err != nil {
		panic(err)
	}
	return g.model.op(operation, index)
}

// close releases the session. tfgo closes it only in a finalizer, so close runs
// the garbage collector.
func (g *graph) close() {
	if m, ok := g.model.(*imported); ok {
		_ = g.ready()
		_ = m.session.Close()
	}
	g.model = nil
	runtime.GC()
}

// try runs f and turns a panic into an error.
func try(f func()) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error: // a bug of ours, not an error reported by tfgo
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

// firstLine keeps TensorFlow's message and drops the stack of the graph below it.
func firstLine(err error) error {
	line, rest, more := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	if !more && rest == "" {
		return err
	}
	return errors.New(strings.TrimSpace(line))
}
