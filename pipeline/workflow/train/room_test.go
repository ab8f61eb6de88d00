package train_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"tftl/pipeline/features"
	"tftl/pipeline/workflow/train"
)

// recordSize is the bytes of the fake network's features of an image in the cache.
const recordSize = 64 + 4

// fitIn trains a run with so much memory and disk, and returns the notes of it.
func (s *setting) fitIn(request train.Request, memory, disk int64) string {
	s.t.Helper()
	s.Notes = nil
	env := s.Env()
	env.Memory = func() int64 { return memory }
	env.Disk = func(string) int64 { return disk }
	run, err := train.New(s.t.Context(), request, env)
	if err != nil {
		s.t.Fatal(err)
	}
	s.end(run)
	return strings.Join(s.Notes, "\n")
}

func TestCacheFitsTheMachine(t *testing.T) {
	const plenty, unknown = 1 << 40, -1
	for _, test := range []struct {
		name         string
		ram          bool
		overflow     bool
		memory, disk int64
		want         string // a warning; empty for none
		kept         bool   // whether a folder is used
		again        bool   // whether epochs run the frozen part
	}{
		{name: "room in memory", ram: true, overflow: true, memory: plenty, disk: plenty},
		{name: "unknown memory", ram: true, overflow: true, memory: unknown, disk: unknown},
		{
			name: "too little memory", ram: true, overflow: true, memory: 100, disk: plenty, kept: true,
			want: "warning: features of stage head need 272B and memory has room for 75B: they are kept in FOLDER (cache-dir)",
		},
		{
			name: "too little memory and no folder", ram: true, memory: 100, disk: plenty, again: true,
			want: "warning: memory has room for 75B: features of stage head need 272B; about 3 of 12 images do not fit and are computed again every epoch (cache-dir)",
		},
		{
			name: "too little memory and disk", ram: true, overflow: true, memory: 100, disk: 0, kept: true, again: true,
			want: "warning: FOLDER is short of space: features of stage head need 272B; about 4 of 12 images do not fit and are computed again every epoch (cache-dir)",
		},
		{name: "room on the disk", memory: 0, disk: plenty, kept: true},
		{name: "unknown disk", memory: 0, disk: unknown, kept: true},
		{
			name: "too little disk", memory: 0, disk: 240, kept: true, again: true,
			want: "warning: FOLDER is short of space: features of stage head need 272B; about 1 of 12 images do not fit and are computed again every epoch (cache-dir)",
		},
	} {
		s := newSetting(t)
		s.fit(s.request("whole"))
		s.Frozen = nil
		request, folder := s.request("run"), s.path("cache")
		if test.overflow {
			request.Cache.Overflow = folder
		}
		if !test.ram {
			request.Cache.Dir = folder
		}
		notes := s.fitIn(request, test.memory, test.disk)
		want := strings.ReplaceAll(test.want, "FOLDER", folder)
		if !strings.Contains(notes, want) || want == "" && strings.Contains(notes, "warning") || strings.Contains(notes, "is full") {
			t.Errorf("%s: notes\n%s\nwant %q", test.name, notes, want)
		}
		if _, err := os.Stat(folder); (err == nil) != test.kept {
			t.Errorf("%s: the folder: %v", test.name, err)
		}
		if again := s.Frozen["head"] > 2*features.BatchSize; again != test.again {
			t.Errorf("%s: %d images passed the frozen part", test.name, s.Frozen["head"])
		}
		s.same("whole", "run", repeated...)
	}
}

// The warning counts all that does not fit, and the size that it names is enough.
func TestFullCacheNamesTheSizeThatWouldDo(t *testing.T) {
	for _, dir := range []string{"", "cache"} {
		s := newSetting(t)
		request := s.request("small")
		request.Cache.MaxBytes = 3*recordSize + 100
		if dir != "" {
			request.Cache.Dir = s.path(dir)
		}
		notes := s.fitIn(request, 1<<40, 1<<40)
		var missing, images int
		var size float64
		_, text, _ := strings.Cut(notes, "in stage head, ")
		if n, err := fmt.Sscanf(text, "%d of %d images do not fit and are computed again every epoch; cache-size %fKB has room for all", &missing, &images, &size); n != 3 {
			t.Fatalf("notes %s: %v", notes, err)
		}
		if images != 12 || missing < 8 || missing > 9 {
			t.Errorf("%d of %d images do not fit", missing, images)
		}
		request = s.request("enough")
		request.Cache.MaxBytes = int64(size * 1000)
		if notes := s.fitIn(request, 1<<40, 1<<40); strings.Contains(notes, "warning") {
			t.Errorf("with %v KB: %s", size, notes)
		}
	}
}

// A deeper stage's features leave room for those of the head, and are computed when
// its turn comes.
func TestDeeperFeaturesThatDoNotFitAreComputedLater(t *testing.T) {
	s := newSetting(t)
	s.fit(s.staged("whole"))
	s.Frozen = nil
	request := s.staged("run")
	request.Cache.MaxBytes = 15 * recordSize
	notes := s.fitIn(request, 1<<40, 1<<40)
	if s.Frozen["head"] != 0 || strings.Contains(notes, "stage head") {
		t.Errorf("frozen passes of %v; notes\n%s", s.Frozen, notes)
	}
	s.same("whole", "run", repeated...)

	// In memory, the head's have room and the others go to disk.
	request = s.staged("apart")
	request.Cache.Overflow = s.path("cache")
	notes = s.fitIn(request, 600, 1<<40)
	if !strings.Contains(notes, "features of stage block2 need ") || strings.Contains(notes, "computed again") {
		t.Errorf("notes\n%s", notes)
	}
	s.same("whole", "apart", repeated...)
}
