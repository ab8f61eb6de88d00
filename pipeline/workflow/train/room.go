package train

import (
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
func (p *pass) makeRoom(computed int) {
	if computed == 0 || computed < p.next {
		return
	}
	p.next = 2 * computed
	missing, unread := p.missing()
	own := in{store: p.store, stage: p.stage, known: missing, images: missing + unread}
	p.fit(own)
	if d := p.deeper; d != nil && d.store != nil {
		p.fit(in{store: d.store, stage: d.name, known: missing, images: missing + unread, leave: own.need(own.images), later: true})
	}
}

func (p *pass) missing() (missing, unread int) {
	for _, s := range p.sources {
		m, u := s.Missing()
		missing, unread = missing+m, unread+u
	}
	return missing, unread
}

// in is a store and the images whose features are still to be put in it.
type in struct {
	store  *features.Store
	stage  string
	known  int   // images that are not in it
	images int   // images that are not in it or have not been read
	leave  int64 // bytes for others
	later  bool  // what does not fit is computed when the turn of the stage comes
}

func (i in) need(images int) int64 { return int64(images) * i.store.Record() }

// fit limits a store to the room that there is.
func (p *pass) fit(i in) {
	own, all, err := i.store.Size()
	if err != nil || i.store.Stats().WriteError != nil {
		return
	}
	limit := p.options.Cache.MaxBytes
	allowed := i.need(i.images) // by the limit
	if limit > 0 {
		if i.leave > 0 {
			limit = max(limit-i.leave, 1)
			i.store.Limit(limit)
		}
		allowed = min(allowed, max(limit-own, 0))
	}
	if i.store.Dir() == "" && !p.fitMemory(i, allowed, own) {
		return
	}
	if dir := i.store.Dir(); dir != "" {
		free := p.env.FreeDisk(dir)
		room := free/10*9 - i.leave // the run writes other files, too
		need := min(allowed, i.need(i.known))
		if free < 0 || need <= room {
			return
		}
		room = max(room, 0)
		i.store.Limit(least(limit, all+room))
		if others := all - own; need > room+others { // which make way
			p.tell(i, need-room-others, "%s is short of space: features of stage %s need %s", dir, i.stage, printable.Bytes(need))
		}
	}
}

// fitMemory reports whether the store, which is in memory, is not limited by it. It
// continues on disk if there is a folder for it.
func (p *pass) fitMemory(i in, need, used int64) bool {
	free := p.env.FreeMemory()
	room := free/4*3 - i.leave
	if free < 0 || need <= room {
		return true
	}
	room = max(room, 0)
	cache := &p.options.Cache
	if dir := cache.Overflow; dir != "" && i.store.Spill(dir) == nil {
		if cache.Dir != dir {
			p.env.Warn("features of stage %s need %s and memory has room for %s: they are kept in %s (%s)",
				i.stage, printable.Bytes(need), printable.Bytes(room), dir, pipeline.Option("cache-dir"))
		}
		cache.Dir = dir
		return true
	}
	i.store.Limit(max(used+room, 1))
	p.tell(i, need-room, "memory has room for %s: features of stage %s need %s", printable.Bytes(room), i.stage, printable.Bytes(need))
	return false
}

// tell warns once that features of so many bytes do not fit.
func (p *pass) tell(i in, short int64, format string, args ...any) {
	if p.told || i.later {
		return
	}
	p.told = true
	record := i.store.Record()
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
