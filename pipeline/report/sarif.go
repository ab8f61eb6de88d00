package report

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"tftl/pipeline/audit"
	"tftl/pipeline/audit/findings"
)

// The parts of SARIF 2.1.0 that an audit has. Code-scanning pages read it.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool                `json:"tool"`
		Bases   map[string]sarifArtifact `json:"originalUriBaseIds,omitempty"`
		Results []sarifResult            `json:"results"`
		Columns string                   `json:"columnKind"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID       string       `json:"id"`
		Name     string       `json:"name"`
		Short    sarifText    `json:"shortDescription"`
		Full     sarifText    `json:"fullDescription"`
		Help     sarifText    `json:"help"`
		Defaults sarifDefault `json:"defaultConfiguration"`
	}
	sarifDefault struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifArtifact struct {
		URI  string `json:"uri"`
		Base string `json:"uriBaseId,omitempty"`
	}
	sarifResult struct {
		Rule         string             `json:"ruleId"`
		Index        int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Related      []sarifLocation    `json:"relatedLocations,omitempty"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
		Rank         float64            `json:"rank"`
	}
	sarifLocation struct {
		ID       *int          `json:"id,omitempty"`
		Physical sarifPhysical `json:"physicalLocation"`
		Message  *sarifText    `json:"message,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	// An image has no lines, but some pages want one.
	sarifRegion struct {
		Line int `json:"startLine"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Status        string `json:"status"`
		Justification string `json:"justification"`
	}
)

// The folders that images are relative to: that of the repository, as code-scanning
// pages take it, or that of the data.
const (
	sarifRepository = "%SRCROOT%"
	sarifData       = "DATA"
)

// sarifSchema is where the format is specified.
const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"

// Places are the folders that the names of images are relative to.
type Places struct {
	Data string
	// Apart has those of parts that are separate, by the first element of their images'
	// names, such as test-data.
	Apart map[string]string
}

// of is the folder of an image, its name there, and what to call the folder.
func (p Places) of(image string) (folder, name, base string) {
	if first, rest, ok := strings.Cut(image, "/"); ok && p.Apart[first] != "" {
		return p.Apart[first], rest, strings.ToUpper(first)
	}
	return p.Data, image, sarifData
}

// SARIF writes the findings as SARIF 2.1.0. Where the folder of an image is below the one
// in which the command was started, the image is relative to the latter, else to its
// folder. A finding keeps its fingerprint while others change. Those that a
// baseline has accepted are suppressed.
func (a Audit) SARIF(w io.Writer, places Places) error {
	run := sarifRun{
		Tool:    sarifTool{sarifDriver{Name: "tftl audit", Version: a.Summary.Tftl, Rules: sarifRules()}},
		Results: []sarifResult{}, Columns: "unicodeCodePoints",
	}
	place := func(image string) sarifArtifact {
		folder, name, base := places.of(image)
		if filepath.IsLocal(folder) {
			return sarifArtifact{uri(path.Join(filepath.ToSlash(folder), name)), sarifRepository}
		}
		if run.Bases == nil {
			run.Bases = map[string]sarifArtifact{}
		}
		run.Bases[base] = sarifArtifact{URI: folderURI(folder)}
		return sarifArtifact{uri(name), base}
	}
	copies := map[int]int{} // by group
	for _, r := range a.Rows {
		copies[r.Group]++
	}
	for _, r := range a.Rows {
		run.Results = append(run.Results, sarifFinding(r, copies[r.Group], place))
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(sarifLog{sarifSchema, "2.1.0", []sarifRun{run}}); err != nil {
		return fmt.Errorf("sarif: %w", err)
	}
	return nil
}

// sarifFinding is a finding in SARIF, of a group of so many copies if it is one.
func sarifFinding(r findings.Row, copies int, place func(image string) sarifArtifact) sarifResult {
	image := func(name string) sarifPhysical { return sarifPhysical{place(name), sarifRegion{1}} }
	result := sarifResult{
		Rule: string(r.Kind), Index: slices.Index(audit.Kinds(), r.Kind), Level: sarifLevel(r.Kind, r.Leak),
		Message: sarifText{sarifMessage(r, copies)}, Locations: []sarifLocation{{Physical: image(r.Image)}},
		Fingerprints: map[string]string{"finding/v1": findings.KeyOf(r.Finding).Fingerprint()}, Rank: 100 * min(max(r.Score, 0), 1),
	}
	for i, other := range r.Others {
		id, word := i+1, "the nearest image"
		if r.Kind.Copies() {
			word = "a copy"
		}
		result.Related = append(result.Related, sarifLocation{ID: &id, Physical: image(other), Message: &sarifText{word}})
	}
	if r.Accepted {
		result.Suppressions = []sarifSuppression{{"external", "accepted", "it is in the baseline"}}
	}
	return result
}

func uri(name string) string { return (&url.URL{Path: name}).String() }

// folderURI is a folder as a URI that ends in a slash.
func folderURI(folder string) string {
	u := url.URL{Path: strings.TrimSuffix(filepath.ToSlash(folder), "/") + "/"}
	if filepath.IsAbs(folder) {
		u.Scheme = "file"
	}
	return u.String()
}

// sarifLevel is how much a finding matters: copies across parts make metrics wrong.
func sarifLevel(k audit.Kind, leak bool) string {
	switch {
	case leak:
		return "error"
	case k == audit.LabelError || k == audit.Unreadable || k == audit.Blank:
		return "warning"
	}
	return "note"
}

// sarifMessage is a finding in a sentence.
func sarifMessage(r findings.Row, copies int) string {
	var text string
	switch {
	case r.Kind == audit.LabelError:
		text = fmt.Sprintf("The label is %s, but the image seems to be %s", display(r.Label), display(r.Suggested))
	case r.Leak:
		text = fmt.Sprintf("The image (%s) has a copy in another part: %s", partTitle(r.Part), sarifNames(r.Others, copies-1))
	case r.Kind.Copies():
		text = "The image has a copy: " + sarifNames(r.Others, copies-1)
	default:
		text = kindSentence(r.Kind)
	}
	if r.Detail != "" {
		text += " (" + display(r.Detail) + ")"
	}
	return text + "."
}

// sarifNames are the first of names, and how many more there are of all.
func sarifNames(names []string, all int) string {
	var shown []string
	for _, name := range names[:min(len(names), mostProblems)] {
		shown = append(shown, display(name))
	}
	if more := all - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("%d more", more))
	}
	return list(shown)
}

// sarifRules describe every kind of finding, in order.
func sarifRules() []sarifRule {
	var rules []sarifRule
	for _, k := range audit.Kinds() {
		sentence := kindSentence(k) + "."
		rules = append(rules, sarifRule{
			ID: string(k), Name: camel(string(k)), Short: sarifText{sentence}, Full: sarifText{sentence},
			Help: sarifText{kindAdvice(k)}, Defaults: sarifDefault{sarifLevel(k, false)},
		})
	}
	return rules
}

// camel is label-error as LabelError.
func camel(word string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(word, "-") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

// kindSentence says what a finding of the kind is.
func kindSentence(k audit.Kind) string {
	switch k {
	case audit.LabelError:
		return "The label of the image is probably wrong"
	case audit.Duplicate:
		return "The image is the same file as another"
	case audit.SamePixels:
		return "The image has the same pixels as another"
	case audit.NearCopy:
		return "The image is a changed copy of another"
	case audit.Outlier:
		return "The image is unlike all others"
	case audit.Unreadable:
		return "The image cannot be read"
	case audit.Blank:
		return "The image has only one colour"
	case audit.Dark:
		return "The image is very dark"
	case audit.Overexposed:
		return "The image is very bright"
	case audit.Blurred:
		return "The image is blurred"
	case audit.Tiny:
		return "The image has far fewer pixels than the others"
	}
	return "The shape of the image is far from that of the others"
}

// kindAdvice says what to do about it.
func kindAdvice(k audit.Kind) string {
	switch {
	case k == audit.LabelError:
		return "Look at the image. If the label is wrong, move the image to its class; if it is right, accept the finding in a baseline."
	case k.Copies():
		return "Keep one of the copies, or keep all of them in one part: a copy of a training image in the test part makes its metrics too good."
	case k == audit.Outlier:
		return "Look at the image. It may show something else, or be a rare case that needs more photographs."
	case k == audit.Unreadable:
		return "Get a good copy of the file, convert it to a format that is read, or remove it."
	}
	return "Look at the image. If it shows nothing of its class, train without it."
}
