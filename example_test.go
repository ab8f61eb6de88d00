package tftl_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sync"

	"tftl"
	"tftl/pipeline"
	"tftl/pipeline/rundir"
	"tftl/pipeline/workflow/evaluate"
	"tftl/pipeline/workflow/train"
)

// Train on a folder of photographs and evaluate the result on its test part.
func Example() {
	ctx, env := context.Background(), tftl.Env("example")
	folder, err := os.MkdirTemp("", "tftl-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	photos, network := must(filepath.Abs("build/testdata/photos")), must(filepath.Abs("build/testdata/tiny"))

	request := train.NewRequest(photos, network, filepath.Join(folder, "run"))
	request.Epochs = 3
	request.Config.Training.Augmentation = pipeline.Augmentation{HorizontalFlip: true, FillMode: "nearest", Copies: 2}
	run := must(train.New(ctx, request, env))
	defer run.Close()
	result := must(run.Fit(ctx))
	fmt.Println("epochs:", len(result.History), "best by:", result.Monitor)

	model := must(tftl.Open(request.Output, tftl.Options{}))
	defer model.Close()
	measured := must(evaluate.Run(ctx, evaluate.NewRequest(request.Output), model, env))
	if err := measured.Keep(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("test images:", len(measured.Table.Predictions), "kept:", rundir.Dir{Path: request.Output}.Evaluated())
	// Output:
	// epochs: 3 best by: val_loss
	// test images: 11 kept: true
}

// Load a trained model once, and classify with it from many goroutines, as a
// service does.
func ExampleOpen() {
	ctx := context.Background()
	folder, forget := trained(ctx)
	defer forget()
	model := must(tftl.Open(folder, tftl.Options{}))
	defer model.Close()
	image := must(os.ReadFile("build/testdata/photos/red/red-01.jpg"))

	var requests sync.WaitGroup
	answers := make([]tftl.Answer, 8)
	for i := range answers {
		requests.Go(func() {
			answers[i] = must(model.Classify(ctx, image))[0]
		})
	}
	requests.Wait()
	same := true
	for _, a := range answers {
		same = same && a.Class == answers[0].Class && len(a.Probabilities) == len(model.Classes())
	}
	fmt.Println("classes:", model.Classes(), "one answer for one image:", same)
	// Output: classes: [blue red] one answer for one image: true
}

// trained trains a run and returns its folder, which forget removes.
func trained(ctx context.Context) (folder string, forget func()) {
	folder = must(os.MkdirTemp("", "tftl-example-"))
	photos, network := must(filepath.Abs("build/testdata/photos")), must(filepath.Abs("build/testdata/tiny"))
	request := train.NewRequest(photos, network, filepath.Join(folder, "run"))
	request.Epochs = 1
	run := must(train.New(ctx, request, tftl.Env("example")))
	defer run.Close()
	must(run.Fit(ctx))
	return request.Output, func() { os.RemoveAll(folder) }
}

// must is for examples only. A service would return the error.
func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
