package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A signed document has its own digest under the key seal. It covers all other keys,
// and what the document belongs to.
const sealKey = "seal"

// signed is a document as indented JSON with its seal.
func signed(document any, of string) ([]byte, error) {
	data, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return nil, err
	}
	sum, _, err := sealOf(data, of)
	if err != nil {
		return nil, err
	}
	body, _ := strings.CutSuffix(string(data), "\n}")
	return fmt.Appendf(nil, "%s,\n  %q: %q\n}\n", body, sealKey, sum), nil
}

// sealOf computes the seal of a document, and returns the one that it has.
func sealOf(data []byte, of string) (sum, has string, err error) {
	keys := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &keys); err != nil {
		return "", "", err
	}
	if raw, ok := keys[sealKey]; ok {
		if err := json.Unmarshal(raw, &has); err != nil {
			return "", "", err
		}
	}
	delete(keys, sealKey)
	text, err := json.Marshal(keys)
	return digest(append(text, "\n"+of...)), has, err
}

// readSigned reads a signed document. One of an older version has no seal, which is
// an error if it must have one.
func readSigned(data []byte, of string, must bool, into any) error {
	sum, has, err := sealOf(data, of)
	switch {
	case err != nil:
		return err
	case has == "" && must:
		return errors.New("it has no seal")
	case has != "" && has != sum:
		return errors.New("its digest is not its seal")
	}
	return json.Unmarshal(data, into)
}
