package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"

	"tftl/pipeline/metrics"
)

// Suite is a test suite of a JUnit file: the gates of one command or of one run
// of a batch.
type Suite struct {
	Name  string
	Cases []Case
}

// Case is a test case. It passed if Failure, Error and Skipped are empty; each is
// a line that says why it did not. A failure is a gate that failed, an error is
// anything that kept it from being checked.
type Case struct {
	Name, Class             string
	Seconds                 float64
	Failure, Error, Skipped string
}

// GateSuite is a model's gates as a suite: a case per gate.
func GateSuite(name string, outcomes []metrics.Outcome) Suite {
	suite := Suite{Name: "tftl evaluate " + name}
	for _, o := range outcomes {
		c := Case{Name: o.Gate.Demand(), Class: name}
		if !o.Passed {
			c.Failure = o.String()
		}
		suite.Cases = append(suite.Cases, c)
	}
	return suite
}

// Suites are a suite per run: a case for the run itself, and one per gate.
func (b Batch) Suites() []Suite {
	var all []Suite
	for _, run := range b.Runs {
		name := b.Name + " " + run.Name
		done := Case{Name: "trained and evaluated", Class: name, Seconds: run.Seconds, Error: run.Error}
		if run.Error == "" && run.Report == nil {
			done.Skipped = run.State
		}
		suite := Suite{Name: name, Cases: []Case{done}}
		if run.Report != nil {
			suite.Cases = append(suite.Cases, GateSuite(name, run.Report.Gates).Cases...)
		}
		all = append(all, suite)
	}
	return all
}

// Suite is a suite with the gate as its case, if there is one.
func (c Comparison) Suite() Suite {
	suite := Suite{Name: "tftl compare " + c.A + " " + c.B}
	if c.Gate != nil {
		one := Case{Name: c.Gate.Demand(), Class: suite.Name}
		if !c.Gate.Passed {
			one.Failure = c.Gate.String()
		}
		suite.Cases = append(suite.Cases, one)
	}
	return suite
}

// The elements of the format that Jenkins, GitLab and GitHub read. There is no
// standard beyond what all of them support: attributes for the name and message
// of a case, and counts on every suite.
type (
	junitSuites struct {
		XMLName xml.Name `xml:"testsuites"`
		junitCounts
		Suites []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name string `xml:"name,attr"`
		junitCounts
		Cases []junitCase `xml:"testcase"`
	}
	junitCounts struct {
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     junitSeconds `xml:"time,attr"`
	}
	junitCase struct {
		Name    string       `xml:"name,attr"`
		Class   string       `xml:"classname,attr"`
		Time    junitSeconds `xml:"time,attr"`
		Failure *junitReason `xml:"failure"`
		Error   *junitReason `xml:"error"`
		Skipped *junitReason `xml:"skipped"`
	}
	junitReason struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	junitSeconds float64
)

// MarshalXMLAttr writes seconds without an exponent, as readers expect.
func (s junitSeconds) MarshalXMLAttr(name xml.Name) (xml.Attr, error) {
	return xml.Attr{Name: name, Value: strconv.FormatFloat(float64(s), 'f', 3, 64)}, nil
}

// WriteJUnit writes a JUnit file. Names are other people's folder names: what XML
// cannot hold, or a page that shows it would obey, is escaped as in Go.
func WriteJUnit(w io.Writer, suites ...Suite) error {
	var all junitSuites
	for _, s := range suites {
		suite := junitSuite{Name: display(s.Name)}
		for _, c := range s.Cases {
			written := junitCase{
				Name: display(c.Name), Class: display(c.Class), Time: junitSeconds(c.Seconds),
				Failure: reason(c.Failure), Error: reason(c.Error), Skipped: reason(c.Skipped),
			}
			suite.count(written)
			suite.Cases = append(suite.Cases, written)
		}
		all.add(suite.junitCounts)
		all.Suites = append(all.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("junit: %w", err)
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(all); err != nil {
		return fmt.Errorf("junit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func reason(text string) *junitReason {
	if text == "" {
		return nil
	}
	text = display(text)
	return &junitReason{Message: text, Text: text}
}

func (n *junitCounts) count(c junitCase) {
	n.Tests++
	n.Time += c.Time
	switch {
	case c.Error != nil:
		n.Errors++
	case c.Failure != nil:
		n.Failures++
	case c.Skipped != nil:
		n.Skipped++
	}
}

func (n *junitCounts) add(m junitCounts) {
	n.Tests += m.Tests
	n.Failures += m.Failures
	n.Errors += m.Errors
	n.Skipped += m.Skipped
	n.Time += m.Time
}
