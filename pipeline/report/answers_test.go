package report_test

import (
	"errors"
	"testing"

	"tftl/pipeline"
	"tftl/pipeline/metrics"
	"tftl/pipeline/report"
)

// writes is what is written, one string per Write.
type writes []string

func (w *writes) Write(text []byte) (int, error) {
	*w = append(*w, string(text))
	return len(text), nil
}

func TestAnswers(t *testing.T) {
	good := func(path string, probabilities ...float32) pipeline.Outcome {
		return pipeline.Outcome{Prediction: pipeline.Prediction{Sample: pipeline.Sample{ID: path, Label: -1}, Probabilities: probabilities}}
	}
	bad := pipeline.Outcome{Prediction: pipeline.Prediction{Sample: pipeline.Sample{ID: "=c.jpg"}}, Err: errors.New(`image =c.jpg: is "text"`)}
	batches := [][]pipeline.Outcome{
		{good("a.jpg", 0.1, 0.7, 0.2), bad},
		{bad},
		{good("long-b.jpg", 0.25, 0.5, 0.25), good("b\x1b.jpg", 0.75, 0.125, 0.125)},
	}
	for _, test := range []struct {
		name  string
		write func(*report.Answers, []pipeline.Outcome) error
		top   int
		want  writes
	}{
		{"table", (*report.Answers).WriteTable, 0, writes{
			"a.jpg  =dog  0.7000\n",
			"long-b.jpg  =dog  0.5000\n" + `b\x1b.jpg   cat   0.7500` + "\n",
		}},
		{"table of two", (*report.Answers).WriteTable, 2, writes{
			"a.jpg  =dog  0.7000  cow, brown  0.2000\n",
			"long-b.jpg  =dog  0.5000  cat         0.2500\n" + `b\x1b.jpg   cat   0.7500  =dog        0.1250` + "\n",
		}},
		{"lines", (*report.Answers).WriteLines, 0, writes{
			`{"path":"a.jpg","predicted":"=dog","probability":0.7,"probabilities":{"=dog":0.7,"cat":0.1,"cow, brown":0.2}}` + "\n" +
				`{"path":"=c.jpg","error":"is \"text\""}` + "\n",
			`{"path":"=c.jpg","error":"is \"text\""}` + "\n",
			`{"path":"long-b.jpg","predicted":"=dog","probability":0.5,"probabilities":{"=dog":0.5,"cat":0.25,"cow, brown":0.25}}` + "\n" +
				`{"path":"b\u001b.jpg","predicted":"cat","probability":0.75,"probabilities":{"=dog":0.125,"cat":0.75,"cow, brown":0.125}}` + "\n",
		}},
		{"lines of one", (*report.Answers).WriteLines, 1, writes{
			`{"path":"a.jpg","predicted":"=dog","probability":0.7,"top":[{"class":"=dog","probability":0.7}]}` + "\n" +
				`{"path":"=c.jpg","error":"is \"text\""}` + "\n",
			`{"path":"=c.jpg","error":"is \"text\""}` + "\n",
			`{"path":"long-b.jpg","predicted":"=dog","probability":0.5,"top":[{"class":"=dog","probability":0.5}]}` + "\n" +
				`{"path":"b\u001b.jpg","predicted":"cat","probability":0.75,"top":[{"class":"cat","probability":0.75}]}` + "\n",
		}},
		{"CSV", (*report.Answers).WriteCSV, 0, writes{
			"path,predicted,probability,p(cat),p(=dog),\"p(cow, brown)\"\na.jpg,'=dog,0.7,0.1,0.7,0.2\n'=c.jpg,,,,,\n",
			"'=c.jpg,,,,,\n",
			"long-b.jpg,'=dog,0.5,0.25,0.5,0.25\nb\x1b.jpg,cat,0.75,0.75,0.125,0.125\n",
		}},
		{"CSV of one", (*report.Answers).WriteCSV, 1, writes{
			"path,predicted,probability\na.jpg,'=dog,0.7\n'=c.jpg,,\n", "'=c.jpg,,\n", "long-b.jpg,'=dog,0.5\nb\x1b.jpg,cat,0.75\n",
		}},
		{"CSV of all", (*report.Answers).WriteCSV, 9, writes{
			"path,predicted,probability,predicted_2,probability_2,predicted_3,probability_3\n" +
				"a.jpg,'=dog,0.7,\"cow, brown\",0.2,cat,0.1\n'=c.jpg,,,,,,\n",
			"'=c.jpg,,,,,,\n",
			"long-b.jpg,'=dog,0.5,cat,0.25,\"cow, brown\",0.25\nb\x1b.jpg,cat,0.75,'=dog,0.125,\"cow, brown\",0.125\n",
		}},
	} {
		var got writes
		answers := report.NewAnswers(&got, []string{"cat", "=dog", "cow, brown"}, metrics.Decision{}, test.top)
		for _, outcomes := range batches {
			if err := test.write(answers, outcomes); err != nil {
				t.Error(err)
			}
		}
		for i := range max(len(got), len(test.want)) {
			if i >= len(got) || i >= len(test.want) || got[i] != test.want[i] {
				t.Errorf("%s: wrote\n%q, want\n%q", test.name, got, test.want)
				break
			}
		}
	}
}
