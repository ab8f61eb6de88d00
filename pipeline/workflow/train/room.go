package train

import (
	"math"

	"tftl/internal/printable"
	"tftl/pipeline"
	"tftl/pipeline/features"
)

// pass is a frozen pass of a stage, and what is known of the room for it.
type pass struct {
	*inputs
	stage   string
	sources []*features.Source
	images  int // of all sources
	next    int // look again once so many images are computed
	told    bool
}

// makeRoom finds out where the features of the pass have room. It looks after the
// first batch, when their size is known, and ever more rarely afterwards, because
// other processes use memory and disk too.
func (p *pass) makeRoom(done pipeline.Event) {
	computed := done.Computed()
	if computed == 0 || computed < p.next {
		return
	}
	p.next = 2 * computed
	missing, unread := p.missing()
	likely := missing + (unread*computed+done.Done-1)/done.Done // as many of the others are stored as so far
	p.fit(demand{store: p.store, stage: p.stage, likely: likely, images: missing + unread})
	if next := p.deeper; next != nil && next.store != nil {
		leave := int64(missing+unread) * p.store.Record()
		p.fit(demand{store: next.store, stage: next.name, likely: likely, images: missing + unread, leave: leave, later: true})
	}
}

func (p *pass) missing() (missing, unread int) {
	for _, s := range p.sources {
		m, u := s.Missing()
		missing, unread = missing+m, unread+u
	}
	return missing, unread
}

// demand is a store and the images whose features are still to be put in it.
type demand struct {
	store  *features.Store
	stage  string
	likely int   // images that are probably not in it
	images int   // images that are not in it or have not been read
	leave  int64 // bytes for others
	most   int64 // bytes that it may still take
	later  bool  // what does not fit is computed when the turn of the stage comes
}

func (d demand) need(images int) int64 { return min(int64(images)*d.store.Record(), d.most) }

// fit limits a store to the room that there is.
func (p *pass) fit(d demand) {
	used, _, err := d.store.Size()
	if err != nil || d.store.Stats().WriteError != nil {
		return
	}
	limit := p.options.Cache.MaxBytes
	if limit > 0 && d.leave > 0 {
		limit = max(limit-d.leave, 1)
		d.store.Limit(limit)
	}
	d.most = math.MaxInt64
	if limit > 0 { // what it refuses needs no room
		d.most = max(limit-used, 0)
	}
	if d.store.Dir() == "" {
		p.fitMemory(d, used)
	}
	if dir := d.store.Dir(); dir != "" {
		p.fitDisk(d, dir, limit)
	}
}

// fitDisk limits a store on disk. Other spaces make way for it.
func (p *pass) fitDisk(d demand, dir string, limit int64) {
	own, all, err := d.store.Size()
	free := p.env.FreeDisk(dir)
	room := free/10*9 - d.leave // the run writes other files, too
	need := d.need(d.likely)
	if err != nil || free < 0 || need <= room {
		return
	}
	room = max(room, 0)
	d.store.Limit(least(limit, all+room))
	if others := all - own; need > room+others {
		p.tell(d, need-room-others, "%s is short of space: features of stage %s need %s", dir, d.stage, printable.Bytes(need))
	}
}

// fitMemory limits a store in memory, or continues it on disk if there is a folder
// for it.
func (p *pass) fitMemory(d demand, used int64) {
	free := p.env.FreeMemory()
	room := free/4*3 - d.leave // training needs some, too
	need := d.need(d.images)
	if free < 0 || need <= room {
		return
	}
	room = max(room, 0)
	cache := &p.options.Cache
	if dir := cache.Overflow; dir != "" && d.store.Spill(dir) == nil {
		if cache.Dir != dir {
			p.env.Warn("features of stage %s need %s and memory has room for %s: they are kept in %s (%s)",
				d.stage, printable.Bytes(need), printable.Bytes(room), dir, pipeline.Option("cache-dir"))
		}
		cache.Dir = dir
		return
	}
	d.store.Limit(max(used+room, 1))
	p.tell(d, need-room, "memory has room for %s: features of stage %s need %s", printable.Bytes(room), d.stage, printable.Bytes(need))
}

// tell warns once that features of so many bytes do not fit.
func (p *pass) tell(d demand, short int64, format string, args ...any) {
	if p.told || d.later {
		return
	}
	p.told = true
	record := d.store.Record()
	p.env.Warn("%v; about %d of %d images do not fit and are computed again every epoch (%s)",
		pipeline.Messagef(format, args...), (short+record-1)/record, p.images, pipeline.Option("cache-dir"))
}

// warnIfFull names the images that the limit leaves out, and the limit that would
// do.
func (p *pass) warnIfFull() {
	if p.told || p.store.Stats().Refused == 0 {
		return
	}
	missing, _ := p.missing()
	_, all, err := p.store.Size()
	if err != nil || missing == 0 {
		return
	}
	const header = 1 << 10 // of new files, with room to spare
	size := all + int64(missing)*p.store.Record() + header
	p.env.Warn("the feature cache is full (%s): in stage %s, %d of %d images do not fit and are computed again every epoch; %[1]s %[5]s has room for all",
		pipeline.Option("cache-size"), p.stage, missing, p.images, printable.Bytes(size))
}

// least is the smaller of two limits, of which the first may be none.
func least(limit, other int64) int64 {
	if limit <= 0 {
		return max(other, 1)
	}
	return max(min(limit, other), 1)
}
