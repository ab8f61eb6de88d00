package dataset_test

import (
	"slices"
	"strings"
	"testing"

	"tftl/pipeline/dataset"
)

func TestReadLabels(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
		err  string
	}{
		"plain":      {"red\ngreen\nblue", []string{"red", "green", "blue"}, ""},
		"Windows":    {"\ufeffred\r\n\r\nblue\r\n", []string{"red", "blue"}, ""},
		"old Mac":    {"red\rblue\r", []string{"red", "blue"}, ""},
		"space":      {"red \n\tgreen tea\n \n", []string{"red", "green tea"}, ""},
		"accents":    {decomposed + "\nb\n", []string{composed, "b"}, ""},
		"twice":      {"red\nblue\nred \n", nil, `label "red" is listed twice`},
		"one":        {"red\n", nil, "fewer than two labels"},
		"none":       {"", nil, "fewer than two labels"},
		"one line":   {"red,green,blue\n", nil, `has one line, "red,green,blue": write each label on a line of its own`},
		"semicolons": {"red;green", nil, "on a line of its own"},
		"UTF-16":     {"\xff\xfer\x00\n\x00", nil, "is UTF-16: save it as UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := dataset.ReadLabels(strings.NewReader(c.text))
			if !slices.Equal(got, c.want) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestUnnumbered(t *testing.T) {
	for _, c := range [][2][]string{
		{{"0 red", "1 green", "2  blue"}, {"red", "green", "blue"}},
		{{"0 red", "1\tgreen tea"}, {"red", "green tea"}},
		{{"1 red", "2 green"}, nil}, // not from 0
		{{"0 red", "2 green"}, nil},
		{{"0 red", "green"}, nil},
		{{"0red", "1green"}, nil},
		{{"0", "1"}, nil}, // classes of digits
		{{"0 red", "1 red"}, nil},
	} {
		want := c[1]
		if want == nil {
			want = c[0]
		}
		if got, numbered := dataset.Unnumbered(c[0]); !slices.Equal(got, want) || numbered != (c[1] != nil) {
			t.Errorf("%q became %q, %v", c[0], got, numbered)
		}
	}
}
