package workflow

import (
	"sync"

	"tftl/pipeline/features"
)

// Caches are the feature caches of several runs. Runs with the same features share
// one that stays open between them, and one frozen pass. A nil Caches is that of a
// single run. It is safe for concurrent use.
type Caches struct {
	pass   sync.Mutex // held during a frozen pass
	mu     sync.Mutex // guards what follows
	shared []*shared
}

// shared is an open cache and how many use it.
type shared struct {
	options features.Options
	space   string
	store   *features.Store
	users   int
}

// Open opens the cache of a space, or returns it again. One that nobody uses is
// closed when another is opened.
func (c *Caches) Open(o features.Options, space string) (*features.Store, error) {
	if c == nil {
		return features.Open(o, space)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var used []*shared
	for _, s := range c.shared {
		switch {
		case s.options == o && s.space == space:
			s.users++
			return s.store, nil
		case s.users > 0:
			used = append(used, s)
		default:
			_ = s.store.Close() // loses nothing that was stored
		}
	}
	c.shared = used
	store, err := features.Open(o, space)
	if err == nil {
		c.shared = append(c.shared, &shared{o, space, store, 1})
	}
	return store, err
}

// Release gives a cache back. An error of closing it loses nothing that was stored.
func (c *Caches) Release(store *features.Store) {
	if c == nil {
		_ = store.Close()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.shared {
		if s.store == store {
			s.users--
		}
	}
}

// Pass waits until no other run makes a frozen pass, and lets none begin before
// done is called: each uses all processors, and the next finds what it computed.
func (c *Caches) Pass() (done func()) {
	if c == nil {
		return func() {}
	}
	c.pass.Lock()
	return c.pass.Unlock
}

// Close closes all caches.
func (c *Caches) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.shared {
		_ = s.store.Close()
	}
	c.shared = nil
}
