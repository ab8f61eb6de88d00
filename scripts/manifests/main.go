// Command manifests checks files of Kubernetes manifests: every field exists in the API's Go
// types and has a value of its type, and what has a CustomResourceDefinition agrees with it,
// which says what is required and which values there are. `make lint` runs it.
//
// It is a module of its own, so that nobody who uses tftl needs these packages. It cannot say
// what a cluster's own rules would.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	kubeflow "github.com/kubeflow/training-operator/pkg/apis/kubeflow.org/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensions1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	jobset "sigs.k8s.io/jobset/api/jobset/v1alpha2"
	"sigs.k8s.io/yaml"
)

func main() {
	failed := false
	for _, path := range os.Args[1:] {
		content, err := os.ReadFile(path)
		for i, document := range bytes.Split(content, []byte("\n---\n")) {
			if err == nil {
				err = check(document)
			}
			if err != nil {
				fmt.Fprintf(os.Stderr, "%s: document %d: %v\n", path, i+1, err)
				failed, err = true, nil
			}
		}
	}
	if failed || len(os.Args) < 2 {
		os.Exit(1)
	}
}

// kind is a kind of object that a manifest may have.
type kind struct {
	object     any
	module, at string // the file with its CustomResourceDefinition; empty for what is built in
}

func kinds() map[string]kind {
	return map[string]kind{
		"v1 Service":                         {object: &core.Service{}},
		"batch/v1 Job":                       {object: &batch.Job{}},
		"networking.k8s.io/v1 NetworkPolicy": {object: &networking.NetworkPolicy{}},
		"jobset.x-k8s.io/v1alpha2 JobSet":    {&jobset.JobSet{}, "sigs.k8s.io/jobset", "config/components/crd/bases/jobset.x-k8s.io_jobsets.yaml"},
		"kubeflow.org/v1 TFJob":              {&kubeflow.TFJob{}, "github.com/kubeflow/training-operator", "manifests/base/crds/kubeflow.org_tfjobs.yaml"},
	}
}

// check checks one object.
func check(document []byte) error {
	var about meta.TypeMeta
	if err := yaml.Unmarshal(document, &about); err != nil {
		return err
	}
	name := about.APIVersion + " " + about.Kind
	k, known := kinds()[name]
	if !known {
		return fmt.Errorf("%q is not a kind that is checked", name)
	}
	if err := yaml.UnmarshalStrict(document, k.object); err != nil {
		return err
	}
	if k.module == "" {
		return nil
	}
	return k.validate(document)
}

// validate checks an object as the API's server does.
func (k kind) validate(document []byte) error {
	folder, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", k.module).Output()
	if err != nil {
		return err
	}
	content, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(folder)), k.at))
	if err != nil {
		return err
	}
	var definition apiextensions1.CustomResourceDefinition
	if err := yaml.Unmarshal(content, &definition); err != nil {
		return err
	}
	var schema apiextensions.JSONSchemaProps
	if err := apiextensions1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(definition.Spec.Versions[0].Schema.OpenAPIV3Schema, &schema, nil); err != nil {
		return err
	}
	validator, _, err := validation.NewSchemaValidator(&schema)
	if err != nil {
		return err
	}
	var object map[string]any
	if err := yaml.Unmarshal(document, &object); err != nil {
		return err
	}
	return validation.ValidateCustomResource(nil, object, validator).ToAggregate()
}
