package savedmodels

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"tftl/internal/tensor"
	"tftl/pipeline"
)

// networkKeys begin the keys of the network's variables, headKeys those of the
// head's.
const (
	networkKeys = "network/"
	headKeys    = "head/"
)

// variables are those of an exported network. All that a checkpoint lacks comes
// from them, so they must stay what they were when the model was first used.
type variables struct {
	info   os.FileInfo // of the data file
	digest hash.Hash   // of its content
}

func (v variables) sum() string { return hex.EncodeToString(v.digest.Sum(nil)) }

// variables opens the model's variables, and computes their digest the first time.
func (m *Model) variables() (*bundle, variables, error) {
	fail := func(err error) (*bundle, variables, error) {
		return nil, variables{}, pipeline.Errorf(pipeline.BadModel, "model %s: %w", m.Dir, err)
	}
	b, err := openBundle(filepath.Join(m.Dir, "variables", "variables"))
	if err != nil {
		return fail(err)
	}
	v, err := m.same(b.files[0])
	if err != nil {
		b.close()
		return fail(err)
	}
	return b, v, nil
}

// same checks that the data file is the one that the model began with. A file
// with the same content will do.
func (m *Model) same(data *os.File) (variables, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := variables{digest: sha256.New()}
	var err error
	if now.info, err = data.Stat(); err != nil {
		return now, err
	}
	was := m.used
	if was.info != nil && os.SameFile(was.info, now.info) && was.info.Size() == now.info.Size() && was.info.ModTime().Equal(now.info.ModTime()) {
		return was, nil
	}
	if _, err := io.Copy(now.digest, data); err != nil {
		return now, err
	}
	if was.info != nil && was.sum() != now.sum() {
		return now, pipeline.WithHint(errors.New("its variables have changed since it was loaded"),
			"%s continues a run if the network is still the same", pipeline.Option("resume"))
	}
	m.used = now
	return now, nil
}

// Weights identifies the weights of the network: by the exporter's digest as long
// as that is valid, otherwise by that of the variables.
func (m *Model) Weights() (string, error) {
	b, v, err := m.variables()
	if err != nil {
		return "", err
	}
	b.close()
	if w := m.Description.Weights; v.sum() == w.VariablesSHA256 {
		return w.NetworkSHA256, nil
	}
	return "variables " + v.sum(), nil
}

// Save writes a checkpoint with all variables that can differ from those of the
// exported network.
func (s *stage) Save(ctx context.Context, prefix string) error {
	if s.abandoned {
		return s.network.Runtime.server.why
	}
	// SaveV2 does not create folders, and its error does not name the folder.
	if _, err := os.Stat(filepath.Dir(prefix)); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	err := s.saveTrained(ctx, prefix)
	if err == nil && s.restored != nil {
		err = s.addEarlier(prefix)
	}
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w", prefix, err)
	}
	return nil
}

// saveTrained writes what the stage trains. Older exports can only write all of
// their variables.
func (s *stage) saveTrained(ctx context.Context, prefix string) error {
	if s.version < 4 {
		return s.save(ctx, prefix)
	}
	path, err := tf.NewTensor(prefix)
	if err != nil {
		return err
	}
	return s.do(ctx, signatureSave, feeds{"prefix": path})
}

// addEarlier adds to a checkpoint what an earlier stage or run has trained and
// this stage only uses. It is as it was restored.
func (s *stage) addEarlier(prefix string) error {
	saved, err := openBundle(prefix)
	if err != nil {
		return err
	}
	defer saved.close()
	if !s.sifted {
		if err := s.sift(saved); err != nil {
			return err
		}
	}
	if len(s.restored.entries) == 0 {
		s.forget()
		return nil
	}
	for _, file := range []string{prefix + ".index", saved.files[0].Name()} {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return writeBundle(prefix, shard{values: []values{{saved, saved.keys()}, {s.restored, s.restored.keys()}}})
}

// sift leaves in the restored checkpoint only what the stage does not save
// itself and the exported network does not have.
func (s *stage) sift(saved *bundle) error {
	network, _, err := s.network.variables()
	if err != nil {
		return err
	}
	defer network.close()
	for key := range s.restored.entries {
		drop := saved.entries[key] != nil || !strings.HasPrefix(key, networkKeys)
		if !drop {
			if drop, err = sameValue(s.restored, network, key); err != nil {
				return err
			}
		}
		if drop {
			delete(s.restored.entries, key)
		}
	}
	s.sifted = true
	return nil
}

// Restore reads a checkpoint over the variables of the exported network.
func (s *stage) Restore(ctx context.Context, prefix string) error {
	err := s.restoreOver(ctx, prefix)
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w", prefix, err)
	}
	return nil
}

func (s *stage) restoreOver(ctx context.Context, prefix string) error {
	checkpoint, err := openBundle(prefix)
	if err != nil {
		return err
	}
	network, _, err := s.network.variables()
	if err == nil {
		defer network.close()
		err = checkKeys(checkpoint, network)
	}
	if err == nil {
		err = s.choose(s.def, checkpoint)
	}
	if err == nil {
		if s.assigned == nil {
			err = s.restoreBoth(ctx, prefix, checkpoint, network)
		} else if err = s.ready(); err == nil {
			err = s.assigned.assign(checkpoint, network)
		}
	}
	if err != nil {
		checkpoint.close()
		return err
	}
	s.forget()
	s.restored, s.sifted = checkpoint, false
	s.classes = classes(checkpoint)
	return nil
}

// classes is the number of classes of a checkpoint's head, or 0 if it has none.
func classes(checkpoint *bundle) int64 {
	bias := checkpoint.entries[headKeys+"output_bias/.ATTRIBUTES/VARIABLE_VALUE"].GetShape().GetDim()
	if len(bias) != 1 {
		return 0
	}
	return max(bias[0].GetSize(), 2)
}

// forget closes the restored checkpoint.
func (s *stage) forget() {
	if s.restored != nil {
		s.restored.close()
	}
	s.restored = nil
}

// checkKeys checks that a network has every variable of a checkpoint.
func checkKeys(checkpoint, network *bundle) error {
	for _, key := range checkpoint.keys() {
		if network.entries[key] == nil {
			return pipeline.WithHint(pipeline.Errorf(pipeline.BadModel, "is of another model: it has the variable %s, which the exported network lacks", key),
				"use the model with which that run began (%s)", pipeline.Option("model"))
		}
	}
	return nil
}

// restoreBoth runs the saver's restore operation on the checkpoint, completed by
// the network's variables.
func (s *stage) restoreBoth(ctx context.Context, prefix string, checkpoint, network *bundle) error {
	var lacking []string
	for _, key := range network.keys() {
		if checkpoint.entries[key] == nil {
			lacking = append(lacking, key)
		}
	}
	if len(lacking) == 0 {
		return s.restoreGraphs(ctx, prefix)
	}
	tmp, err := os.MkdirTemp("", "tftl-")
	if err != nil {
		return fmt.Errorf("restoring needs a folder for temporary files (set TMPDIR): %w", err)
	}
	defer os.RemoveAll(tmp)
	whole := filepath.Join(tmp, "ckpt")
	err = writeBundle(whole,
		shard{[]values{{network, lacking}}, symlink},
		shard{[]values{{checkpoint, checkpoint.keys()}}, symlink})
	if err != nil {
		return err
	}
	return s.restoreGraphs(ctx, whole)
}

func (s *stage) restoreGraphs(ctx context.Context, prefix string) error {
	if err := s.restore(ctx, prefix); err != nil || s.inferring == nil {
		return err
	}
	return s.inferring.restore(ctx, prefix)
}

func (s *stage) Close() error {
	if s.abandoned { // the session is busy
		return nil
	}
	s.forget()
	if s.constant != nil {
		s.constant.close()
	}
	s.closeGraphs()
	return nil
}

// do calls a signature for its side effect.
func (s *stage) do(ctx context.Context, signature string, inputs feeds) error {
	results, err := s.call(ctx, signature, inputs, "step")
	tensor.Free(results...)
	return err
}
