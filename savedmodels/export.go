package savedmodels

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
)

// Export writes the trained model of a checkpoint, as an Exporter does.
func (m *Model) Export(ctx context.Context, checkpoint, dir string, labels []string) error {
	e, err := m.Exporter()
	if err != nil {
		return err
	}
	defer e.Close()
	return e.Export(ctx, checkpoint, dir, labels)
}

// Exporter writes trained models: it keeps the serving graph open for the next.
type Exporter struct {
	model *Model
	graph *graph
}

// Exporter opens the serving graph, whose variables a checkpoint's take the
// place of.
func (m *Model) Exporter() (*Exporter, error) {
	def := metaGraph(m.saved, tagServe)
	if def == nil || m.Description == nil {
		return nil, pipeline.Errorf(pipeline.BadModel, "model %s: no MetaGraph is tagged %s", m.Dir, tagServe)
	}
	g, err := open(m.Dir, def, m.Runtime)
	if err != nil {
		return nil, err
	}
	return &Exporter{m, g}, nil
}

// Close lets the graph go.
func (e *Exporter) Close() { e.graph.close() }

// Export writes the trained model of a checkpoint into dir, which exists and is
// empty: a SavedModel of the serving MetaGraph alone, which TensorFlow Serving,
// Python and Go load, with the labels in assets.extra/tftl.json.
func (e *Exporter) Export(ctx context.Context, checkpoint, dir string, labels []string) error {
	m, g := e.model, e.graph
	if err := g.restore(ctx, checkpoint); err != nil {
		return fmt.Errorf("checkpoint %s: %w", checkpoint, err)
	}
	for _, sub := range []string{"variables", "assets.extra"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	if err := g.save(ctx, filepath.Join(dir, "variables", "variables")); err != nil {
		return fmt.Errorf("model %s: %w", dir, err)
	}
	// Fields that the binding's older protobufs do not know are kept as they are.
	saved := &savedModelPB{
		SavedModelSchemaVersion: m.saved.SavedModelSchemaVersion,
		MetaGraphs:              []*metaGraphPB{g.def},
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(saved)
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(filepath.Join(dir, "saved_model.pb"), data, 0o644); err != nil {
		return err
	}
	d := *m.Description
	d.Stages, d.Labels = []StageInfo{}, labels
	if d.Weights.VariablesSHA256, err = fileDigest(filepath.Join(dir, "variables", "variables.data-00000-of-00001")); err != nil {
		return err
	}
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(dir, "assets.extra", "tftl.json"), append(text, '\n'), 0o644)
}
