package metrics

// Basis is how a metric gets its interval, and how many samples stand behind it.
type Basis struct {
	Method string
	Size   float64
}

// Bases are those of all metrics of a table, by name.
func Bases(t Table, o Options) (map[string]Basis, error) {
	s, err := newSheet(t, o)
	if err != nil {
		return nil, err
	}
	all, c := map[string]Basis{}, s.count(once(len(s.label)))
	for _, column := range s.columns {
		all[column.name] = Basis{string(column.method()), c.size(column)}
	}
	return all, nil
}

// Row is the name of a metric's row in definitions.
func Row(name string) string {
	d, _ := define(name)
	return d.name
}

// Bounds are the least and the most that a metric can be.
func Bounds(name string) (lowest, highest float64) { return bounds(name) }
