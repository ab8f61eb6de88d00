package savedmodels

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"tftl/internal/atomicfile"
	"tftl/pipeline"
)

// keyObjects is the key of what Python knows of the variables' objects.
const keyObjects = "_CHECKPOINTABLE_OBJECT_GRAPH"

// Export writes the trained model of a checkpoint into dir, which exists and is
// empty. The SavedModel has only the serving MetaGraph and can be loaded by
// TensorFlow Serving, Python and Go. The labels are in assets.extra/tftl.json.
func (m *Model) Export(ctx context.Context, checkpoint, dir string, labels []string) error {
	def := metaGraph(m.saved, tagServe)
	if def == nil || m.Description == nil {
		return pipeline.Errorf(pipeline.BadModel, "model %s: has no MetaGraph with the tag %s", m.Dir, tagServe)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, sub := range []string{"variables", "assets.extra"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	digest, err := m.exportVariables(checkpoint, filepath.Join(dir, "variables", "variables"))
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w", checkpoint, err)
	}
	var data []byte
	data = protowire.AppendVarint(protowire.AppendTag(data, fieldVersion, protowire.VarintType), m.saved.version)
	data = protowire.AppendBytes(protowire.AppendTag(data, fieldMetaGraph, protowire.BytesType), def.encoded)
	if err := atomicfile.WriteFile(filepath.Join(dir, "saved_model.pb"), data, 0o644); err != nil {
		return err
	}
	d := *m.Description
	d.Stages, d.Labels, d.Int8 = []StageInfo{}, labels, nil
	d.Weights.VariablesSHA256 = digest
	return writeDescription(dir, d)
}

// writeDescription writes a model's description, and then the digests of all its files.
func writeDescription(dir string, d Description) error {
	d.Sealed = true
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(filepath.Join(dir, descriptionFile), append(text, '\n'), 0o644); err != nil {
		return err
	}
	return seal(dir)
}

// exportVariables writes the variables of the serving graph, and returns the
// digest of the data files, one after the other. If at least half of the
// network's data file is still valid, that file becomes the first of two, as
// another name of the same file where possible: runs of one network then share
// the frozen weights.
func (m *Model) exportVariables(checkpoint, prefix string) (string, error) {
	trained, err := openBundle(checkpoint)
	if err != nil {
		return "", err
	}
	defer trained.close()
	network, v, err := m.variables()
	if err != nil {
		return "", err
	}
	defer network.close()
	if err := checkKeys(trained, network); err != nil {
		return "", err
	}
	old, changed, err := served(network, trained)
	if err != nil {
		return "", err
	}
	if 2*old.size() < v.info.Size() {
		if err := writeBundle(prefix, shard{values: []values{old, changed}}); err != nil {
			return "", err
		}
		return fileDigest(dataFile(prefix, 0, 1))
	}
	if err := writeBundle(prefix, shard{[]values{old}, link}, shard{values: []values{changed}}); err != nil {
		return "", err
	}
	digest, err := v.digest.(hash.Cloner).Clone()
	if err != nil {
		return "", err
	}
	file, err := os.Open(dataFile(prefix, 1, 2))
	if err != nil {
		return "", err
	}
	defer file.Close()
	_, err = io.Copy(digest, file)
	return hex.EncodeToString(digest.Sum(nil)), err
}

// served divides the variables of the serving graph into those that are as in
// the exported network and those that a checkpoint has changed.
func served(network, checkpoint *bundle) (old, changed values, err error) {
	old.from, changed.from = network, checkpoint
	for _, key := range network.keys() {
		if !strings.HasPrefix(key, networkKeys) && !strings.HasPrefix(key, headKeys) && key != keyObjects {
			continue
		}
		same := checkpoint.entries[key] == nil || key == keyObjects
		if !same && strings.HasPrefix(key, networkKeys) {
			if same, err = sameValue(network, checkpoint, key); err != nil {
				return old, changed, err
			}
		}
		if same {
			old.keys = append(old.keys, key)
		} else {
			changed.keys = append(changed.keys, key)
		}
	}
	return old, changed, nil
}
