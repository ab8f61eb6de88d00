package train

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"tftl/pipeline"
	"tftl/pipeline/dataset"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow"
)

// Cluster is what a run needs of the processes that train it together. The chief has
// the run's folder, the others have only caches. They agree on all that they do because
// they compute it from the same: the chief's configuration, or their own request, which
// must be the same.
type Cluster interface {
	pipeline.Peers
	Size() int
	Chief() bool
	Name(task int) string
}

// processes is the number of processes of a run, as its configuration records it.
func (o Options) processes() int {
	if o.Cluster == nil {
		return 0
	}
	return o.Cluster.Size()
}

// hello is what must be the same in all processes.
type hello struct {
	Tftl         string
	TensorFlow   string
	Instructions string
	Precision    string
	Model        string
	Data         string
	Options      string
}

// agree compares this process with the chief, which names what differs.
func (r *Run) agree() error {
	c := r.options.Cluster
	if c == nil {
		return nil
	}
	runtime := r.network.Info().Runtime
	own, err := json.Marshal(hello{
		Tftl: r.env.Version, TensorFlow: runtime.TensorFlow, Instructions: runtime.Instructions, Precision: runtime.Precision,
		Model: r.network.Info().WeightsSHA256, Data: r.set.Digest(), Options: options(r.Config),
	})
	if err != nil {
		return err
	}
	all, err := c.Exchange("hello", own)
	if err != nil {
		return err
	}
	var chief, other hello
	for task, text := range all {
		if err := json.Unmarshal(text, &other); err != nil {
			return fmt.Errorf("%s: %w", c.Name(task), err)
		}
		if task == 0 {
			chief = other
		}
		if err := chief.differs(other); err != nil {
			return fmt.Errorf("%s differs from %s: %w", c.Name(task), c.Name(0), err)
		}
	}
	return nil
}

// differs names the first thing that is not the same.
func (h hello) differs(other hello) error {
	for _, field := range []struct {
		what       string
		kind       pipeline.Kind
		has, wants string
		secret     bool // a digest, which says nothing to people
	}{
		{"tftl", pipeline.BadUsage, other.Tftl, h.Tftl, false},
		{"TensorFlow", pipeline.BadUsage, other.TensorFlow, h.TensorFlow, false},
		{"instruction set", pipeline.BadUsage, other.Instructions, h.Instructions, false},
		{"precision", pipeline.BadUsage, other.Precision, h.Precision, false},
		{"weights of the model", pipeline.BadModel, other.Model, h.Model, true},
		{"images, their classes or their parts", pipeline.BadData, other.Data, h.Data, true},
		{"options", pipeline.BadUsage, other.Options, h.Options, true},
	} {
		switch {
		case field.has == field.wants:
		case field.secret:
			return pipeline.Errorf(field.kind, "%s", field.what)
		default:
			return pipeline.Errorf(field.kind, "%s %s instead of %s", field.what, field.has, field.wants)
		}
	}
	return nil
}

// hash reads the images of a run that are not known yet. The processes of a cluster
// read each its own and tell the others.
func (o Options) hash(ctx context.Context, set *dataset.Set, digests *workflow.Digests, block int, progress pipeline.Progress) error {
	c := o.Cluster
	if c == nil {
		all, err := set.Part(pipeline.AllParts)
		if err != nil {
			return err
		}
		return digests.Hash(ctx, all, o.Workers, progress)
	}
	var told []byte
	parts := []dataset.Part{set.Train, set.Validation, set.Test}
	for number, part := range parts {
		own := make([]bool, part.Len())
		for _, i := range c.Own(part.Len(), block) {
			own[i] = true
		}
		if err := digests.Hash(ctx, part.Keep(func(i int) bool { return own[i] }), o.Workers, progress); err != nil {
			return err
		}
		for i := range own {
			if own[i] {
				sum := digests.Of(part.Sample(i).ID)
				told = binary.LittleEndian.AppendUint32(append(told, byte(number)), uint32(i))
				told = append(told, sum[:]...)
			}
		}
	}
	all, err := c.Exchange("images", told)
	if err != nil {
		return err
	}
	for task, told := range all {
		const row = 1 + 4 + len(workflow.Digest{})
		for ; len(told) >= row; told = told[row:] {
			number, i := int(told[0]), int(binary.LittleEndian.Uint32(told[1:]))
			if number >= len(parts) || i >= parts[number].Len() {
				return fmt.Errorf("%s read an image that is not in the data set", c.Name(task))
			}
			if id := parts[number].Sample(i).ID; !digests.Told(id, workflow.Digest(told[5:row])) {
				return pipeline.Errorf(pipeline.BadData, "%s: %s has another image of that name than this task", id, c.Name(task))
			}
		}
	}
	return nil
}

// beginning is what the chief tells of a run before it begins or goes on.
type beginning struct {
	Resumed bool                `json:"resumed"`
	Config  rundir.Config       `json:"config"`
	Record  []pipeline.Recorded `json:"record"`
}

// standing is where a run goes on.
type standing struct {
	State    pipeline.State   `json:"state"`
	History  []pipeline.Epoch `json:"history"`
	InitFrom *rundir.InitFrom `json:"init_from"`
}

// tell gives the chief's document to the others. There it fills the document.
func tell[T any](c Cluster, what string, document *T) error {
	if c == nil {
		return nil
	}
	var part []byte
	if c.Chief() {
		var err error
		if part, err = json.Marshal(document); err != nil {
			return err
		}
	}
	all, err := c.Exchange(what, part)
	if err != nil || c.Chief() {
		return err
	}
	if err := json.Unmarshal(all[0], document); err != nil {
		return fmt.Errorf("%s of %s: %w", what, c.Name(0), err)
	}
	return nil
}

// restoring is a stage that is restored from the chief's checkpoints in all processes.
type restoring struct {
	pipeline.Stage
	cluster Cluster
	folder  func() (string, error) // where to keep a checkpoint that was received
}

// Restore implements pipeline.Stage. Only the chief has the checkpoint.
func (r restoring) Restore(ctx context.Context, prefix string) error {
	files := map[string][]byte{} // by what their names have after the prefix
	if r.cluster.Chief() {
		paths, err := filepath.Glob(prefix + ".*")
		if err != nil {
			return err
		}
		for _, path := range paths {
			if files[path[len(prefix):]], err = os.ReadFile(path); err != nil {
				return err
			}
		}
	}
	if err := tell(r.cluster, "checkpoint", &files); err != nil {
		return err
	}
	if !r.cluster.Chief() {
		folder, err := r.folder()
		if err != nil {
			return err
		}
		prefix = filepath.Join(folder, "checkpoint")
		for name, content := range files {
			if err := os.WriteFile(prefix+filepath.Base(name), content, 0o600); err != nil {
				return err
			}
		}
	}
	return r.Stage.Restore(ctx, prefix)
}

// nowhere is the recorder of a process that has no run folder.
type nowhere struct{}

func (nowhere) Epoch(pipeline.Epoch) error                                   { return nil }
func (nowhere) Save(string, pipeline.State, func(prefix string) error) error { return nil }
func (nowhere) Checkpoint(name string) string                                { return name }
