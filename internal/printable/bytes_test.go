package printable

import "testing"

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0B", 999: "999B", 1000: "1KB", 1001: "1.1KB", 5_000_000: "5MB", 5_000_001: "5.1MB", 999_999: "1000KB",
		5_100_000_000: "5.1GB", 25_000_000_000_000: "25TB", 4_000_000_000_000_001: "4000.1TB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
