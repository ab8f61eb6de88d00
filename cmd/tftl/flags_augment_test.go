package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"tftl/pipeline"
)

// Every field of pipeline.Augmentation has a flag, which sets only that field.
func TestEveryAugmentationHasAFlag(t *testing.T) {
	fields := reflect.TypeFor[pipeline.Augmentation]()
	for i := range fields.NumField() {
		key, _, _ := strings.Cut(fields.Field(i).Tag.Get("json"), ",")
		flag := "--" + strings.ReplaceAll(key, "_", "-")
		want := pipeline.Augmentation{FillMode: "nearest"}
		arguments := []string{"tftl", flag}
		switch v := reflect.ValueOf(&want).Elem().Field(i).Addr().Interface().(type) {
		case *bool:
			*v = true
		case *int:
			*v, want.VerticalFlip = 3, true
			arguments = append(arguments, "3", "--vertical-flip")
		case *float64:
			*v, arguments = 0.5, append(arguments, "0.5")
		case *string:
			*v, arguments = "reflect", append(arguments, "reflect")
		case *pipeline.Factors:
			*v, arguments = pipeline.Factors{0.5, 0.75}, append(arguments, "0.5,0.75")
		}
		var got pipeline.Augmentation
		app := cli.App{Flags: newAugmentFlags(), Action: func(c *cli.Context) (err error) {
			got, err = newAugmentation(c)
			return err
		}}
		if err := app.Run(arguments); err != nil || got != want {
			t.Errorf("%v: %+v, %v; want %+v", arguments, got, err, want)
		}
	}
}
