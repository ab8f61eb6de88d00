package features

// Dir is the folder of the cache, or empty if it is in RAM.
func (s *Store) Dir() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dir
}

// Limit changes Options.MaxBytes. Zero or less is no limit. What is stored already
// stays.
func (s *Store) Limit(maxBytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit, s.full, s.appended = maxBytes, false, maxBytes
}

// Spill continues a Store in RAM in a folder: it also serves what that has, and
// stores there. After an error it is as before.
func (s *Store) Spill(dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir != "" || s.index == nil {
		return nil
	}
	err := s.use(dir)
	s.full = s.full && err != nil
	return err
}

// Size is how many bytes the space takes, and all of the cache that this one is
// in. It is the same in RAM.
func (s *Store) Size() (space, all int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" {
		return s.used, s.used, nil
	}
	list, err := segments(s.dir)
	for _, one := range list {
		all += one.size
		if one.in(s.folder) {
			space += one.size
		}
	}
	return space, all, err
}

// Record is how many bytes the largest record takes that was stored or refused
// since the Store was opened.
func (s *Store) Record() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.largest
}

// Missing counts images that are not in the Store, and those not read yet, which
// may be.
func (s *Source) Missing() (missing, unread int) {
	const window = 1024 // to take little memory
	for start := 0; start < s.Due(); start += window {
		for _, im := range s.images(s.due(start, window)) {
			if im.digest == (Digest{}) {
				unread++
			} else if _, ok := s.Store.Shape(s.key(im)); !ok {
				missing++
			}
		}
	}
	return missing, unread
}
