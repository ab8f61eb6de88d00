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

// Export writes the trained model of a checkpoint: see Exporter.Export.
func (m *Model) Export(ctx context.Context, checkpoint, dir string, labels []string) error {
	e, err := m.Exporter()
	if err != nil {
		return err
	}
	defer e.Close()
	return e.Export(ctx, checkpoint, dir, labels)
}

// Exporter writes trained models. It keeps the serving graph open between
// exports.
type Exporter struct {
	model *Model
	graph *graph
}

// Exporter opens the serving graph, for Export to fill with a checkpoint's
// variables.
func (m *Model) Exporter() (*Exporter, error) {
	def := metaGraph(m.saved, tagServe)
	if def == nil || m.Description == nil {
		return nil, pipeline.Errorf(pipeline.BadModel, "model %s: has no MetaGraph with the tag %s", m.Dir, tagServe)
	}
	g, err := open(m.Dir, def, m.Runtime)
	if err != nil {
		return nil, err
	}
	return &Exporter{m, g}, nil
}

// Close releases the graph.
func (e *Exporter) Close() { e.graph.close() }

// Export writes the trained model of a checkpoint into dir, which exists and is
// empty. The SavedModel has only the serving MetaGraph and can be loaded by
// TensorFlow Serving, Python and Go. The labels are in assets.extra/tftl.json.
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
	// Fields unknown to the binding's older protobufs are kept.
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
