package rundir

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Sources are digests of what a configuration refers to by path.
type Sources struct {
	Model  string // of the model's files
	Parts  string // of the images' names, classes and parts
	Images string // of the images' bytes
}

// Identity is a digest of everything that decides what a run learns. A batch
// skips a finished run whose Config.Inputs is still its identity.
//
// It covers every field of Config but those in facts. A field at its zero value
// does not count, so a new field changes no older identity, as long as its zero
// value means what tftl did before there was such a field.
func (c Config) Identity(s Sources) string {
	lines := []string{"identity 1"} // increase it if lines are written in another way
	for _, f := range fields("", reflect.ValueOf(c)) {
		if !slices.Contains(facts(), f.name) {
			lines = append(lines, f.name+"="+f.value)
		}
	}
	slices.Sort(lines[1:])
	lines = append(lines, "model "+s.Model, "parts "+s.Parts, "images "+s.Images)
	return digest([]byte(strings.Join(lines, "\n")))
}

// facts are the fields of Config that decide nothing by themselves: what was
// found in the data and in the model, which Sources cover, and on what machine
// the run was computed.
func facts() []string {
	return []string{
		"tftl", "sealed", "inputs_sha256",
		"data.layout", "data.taken_for", "data.sha256", "data.train", "data.validation", "data.test",
		"data.excluded.findings", "data.excluded.train", "data.excluded.validation",
		"model.backbone", "model.weights_origin", "model.weights_sha256", "model.input", "model.pooling",
		"training.head_features_from", // follows from the stages; runs of older versions have none
		"runtime.devices", "runtime.threads", "runtime.instructions", "runtime.processes",
	}
}

// LegacyIdentity is the identity that tftl recorded before Identity: a digest of
// config.json as it stood when the run was planned. In that, Data.Layout is what
// was asked for, and not yet what the data was taken for.
//
// It depends on Config having the JSON that it had: a new field needs omitempty.
func (c Config) LegacyIdentity(s Sources) (string, error) {
	c.Tftl, c.Sealed, c.Inputs = "", false, ""
	c.Runtime.Devices, c.Runtime.Threads, c.Runtime.Instructions, c.Runtime.Processes = nil, 0, "", 0
	c.Training.HeadFeaturesFrom = ""
	c.Data.TakenFor, c.Data.SHA256, c.Data.Train, c.Data.Validation, c.Data.Test = "", "", 0, 0, 0
	text, err := json.Marshal([]any{c, s.Model, s.Parts, s.Images})
	return digest(text), err
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// field is a value of a configuration that is not zero, by its path: the JSON
// names on the way to it, with dots.
type field struct{ name, value string }

func fields(name string, v reflect.Value) (all []field) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		if v = v.Elem(); v.Kind() == reflect.Struct {
			return fields(name, v)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if tag != "-" {
				all = append(all, fields(strings.Trim(name+"."+tag, "."), v.Field(i))...)
			}
		}
		return all
	case reflect.Slice, reflect.Map:
		if v.Len() == 0 {
			return nil
		}
		if v.Type().Elem().Kind() == reflect.Struct {
			for i := range v.Len() {
				all = append(all, fields(fmt.Sprintf("%s.%d", name, i), v.Index(i))...)
			}
			return all
		}
	default:
		if v.IsZero() {
			return nil
		}
	}
	text, err := json.Marshal(v.Interface())
	if err != nil {
		text = []byte(err.Error())
	}
	return []field{{name, string(text)}}
}
