package metrics_test

import (
	"strings"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
)

// FuzzReadTable reads predictions. An error is one line that names the file and has
// a kind; what is read makes sense.
func FuzzReadTable(f *testing.F) {
	f.Add([]byte("path,label,predicted,probability,loss,p(a),p(b),slice(x),temperature,threshold\nx.jpg,a,a,0.9,0.1,0.9,0.1,y,2,0.5\n"))
	f.Add([]byte("path,label,predicted,probability,p(a),p(b),logit(a),logit(b)\n'=x,b,a,0.9,0.9,0.1,3e38,-3e38\n"))
	f.Add([]byte("path,label,predicted,probability,loss,predicted_2,probability_2\n\"a\nb\",c,d,1,0,e,0\n"))
	f.Add([]byte("path,label,predicted,probability,loss,p(a)\nx,a,a,NaN,Inf,1e-400\n"))
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := metrics.ReadTable(strings.NewReader(string(data)), "file.csv")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "file.csv:") || strings.Contains(err.Error(), "\n") || pipeline.KindOf(err) == 0 {
				t.Errorf("%q", err)
			}
			return
		}
		for i, p := range table.Predictions {
			if p.Sample.Label < 0 || p.Sample.Label >= len(table.Classes) || table.Top == 0 && len(p.Probabilities) != len(table.Classes) {
				t.Errorf("row %d: %+v of the classes %q", i, p, table.Classes)
			}
			if what, value := p.Unsound(); table.Top == 0 && what != "" {
				t.Errorf("row %d: %s %g", i, what, value)
			}
		}
	})
}
