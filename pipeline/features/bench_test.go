package features

import (
	"fmt"
	"testing"
)

// A batch of VGG16's activations, as a bfloat16 session gives them.
func BenchmarkGet(b *testing.B) {
	for _, where := range []string{"RAM", "disk"} {
		for _, coarse := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/bfloat16=%v", where, coarse), func(b *testing.B) {
				dir := ""
				if where == "disk" {
					dir = b.TempDir()
				}
				s, err := Open(Options{Dir: dir}, space)
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				shape := []int64{25088}
				for i := range 32 {
					s.Put(digestOf(i), shape, values(i, 25088, coarse))
				}
				dst := make([]float32, 25088)
				b.ReportAllocs()
				for b.Loop() {
					for i := range 32 {
						if !s.Get(digestOf(i), shape, dst) {
							b.Fatal("not served")
						}
					}
				}
			})
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, coarse := range []bool{true, false} {
		b.Run(fmt.Sprintf("bfloat16=%v", coarse), func(b *testing.B) {
			v := values(1, 25088, coarse)
			for b.Loop() {
				for range 32 {
					encode(Digest{}, []int64{25088}, v)
				}
			}
		})
	}
}
