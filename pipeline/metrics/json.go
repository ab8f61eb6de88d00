package metrics

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
)

// number is a float64 in JSON: null stands for NaN and infinities, and is read as NaN.
type number float64

// MarshalJSON writes null for what is not finite.
func (n number) MarshalJSON() ([]byte, error) {
	if v := float64(n); math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads null as NaN.
func (n *number) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*n = number(math.NaN())
		return nil
	}
	return json.Unmarshal(data, (*float64)(n))
}

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	key   string
	value any
}

// MarshalJSON writes the members. One without a key is an object whose members
// are written in its place.
func (o object) MarshalJSON() ([]byte, error) {
	var members [][]byte
	for _, m := range o {
		text, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		if m.key != "" {
			text = fmt.Appendf(nil, "%q:%s", m.key, text)
		} else if text = text[1 : len(text)-1]; len(text) == 0 {
			continue
		}
		members = append(members, text)
	}
	return fmt.Appendf(nil, "{%s}", bytes.Join(members, []byte(","))), nil
}

// members are the overall metrics of one object of evaluation.json.
func (v Values) members(in string) (o object) {
	for _, d := range definitions() {
		if value, ok := v[d.name]; ok && d.in == in {
			o = append(o, member{d.key(), number(value)})
		}
	}
	return o
}

// groups are the objects of evaluation.json that hold averages over the classes,
// in the order of definitions.
func groups() (names []string) {
	seen := map[string]bool{"": true}
	for _, d := range definitions() {
		if !seen[d.in] {
			names = append(names, d.in)
		}
		seen[d.in] = true
	}
	return names
}

// plain is a Report without its methods.
type plain Report

// MarshalJSON writes null for a metric that is not finite.
func (r Report) MarshalJSON() ([]byte, error) {
	o := append(object{{"samples", r.Samples}}, r.Values.members("")...)
	if r.Part != "" {
		o = append(o, member{"subset", r.Part})
	}
	if r.TopK > 0 {
		o = append(o, member{"top_k", r.TopK})
		if value, ok := r.Values[topName(r.TopK)]; ok {
			o = append(o, member{topKAccuracy, number(value)})
		}
	}
	for _, name := range groups() {
		if group := r.Values.members(name); len(group) > 0 {
			o = append(o, member{name, group})
		}
	}
	rest := plain(r)
	rest.Samples, rest.Part, rest.TopK = 0, "", 0 // which are written already
	return json.Marshal(append(o, member{"", rest}))
}

// UnmarshalJSON reads what MarshalJSON writes. A metric that the document lacks,
// because an older version wrote it, is missing from the report too.
func (r *Report) UnmarshalJSON(data []byte) error {
	var d plain
	if err := json.Unmarshal(data, &d); err != nil {
		return err
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		return err
	}
	objects := map[string]map[string]json.RawMessage{"": top}
	for _, name := range groups() {
		if raw, ok := top[name]; ok {
			var group map[string]json.RawMessage
			if err := json.Unmarshal(raw, &group); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			objects[name] = group
		}
	}
	d.Values = Values{}
	for _, def := range definitions() {
		name := def.name
		if name == topKAccuracy {
			if d.TopK == 0 {
				continue
			}
			name = topName(d.TopK)
			d.Values[name] = 0 // older versions left a 0 out
		}
		if err := d.Values.read(name, objects[def.in], def.key()); err != nil {
			return err
		}
	}
	*r = Report(d)
	return nil
}

// read takes a value from an object, if it is there.
func (v Values) read(name string, from map[string]json.RawMessage, key string) error {
	raw, ok := from[key]
	if !ok {
		return nil
	}
	var value number
	if err := json.Unmarshal(raw, &value); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	v[name] = float64(value)
	return nil
}

// MarshalJSON writes null for a metric that is not finite.
func (c Class) MarshalJSON() ([]byte, error) {
	o := object{{"name", c.Name}, {"support", c.Support}}
	for _, name := range ClassMetrics() {
		if value, ok := c.Values[name]; ok {
			o = append(o, member{name, number(value)})
		}
	}
	return json.Marshal(o)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Class) UnmarshalJSON(data []byte) error {
	var fixed struct {
		Name    string
		Support int
	}
	if err := json.Unmarshal(data, &fixed); err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	*c = Class{fixed.Name, fixed.Support, Values{}}
	for _, name := range ClassMetrics() {
		if err := c.Values.read(name, members, name); err != nil {
			return err
		}
	}
	return nil
}

type differenceDocument struct {
	Name       string `json:"name"`
	A          number `json:"a"`
	B          number `json:"b"`
	Difference number `json:"difference"`
	Lower      number `json:"lower"`
	Upper      number `json:"upper"`
}

// MarshalJSON writes null for what is not finite.
func (d Difference) MarshalJSON() ([]byte, error) {
	return json.Marshal(differenceDocument{d.Name, number(d.A), number(d.B), number(d.Difference), number(d.Lower), number(d.Upper)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (d *Difference) UnmarshalJSON(data []byte) error {
	var r differenceDocument
	if err := json.Unmarshal(data, &r); err != nil {
		return err
	}
	*d = Difference{r.Name, float64(r.A), float64(r.B), float64(r.Difference), float64(r.Lower), float64(r.Upper)}
	return nil
}
