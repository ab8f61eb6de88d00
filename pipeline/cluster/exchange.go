package cluster

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"golang.org/x/sync/errgroup"

	"tftl/pipeline"
)

// Exchange gives this process's part to all and returns everyone's, in the order of the
// tasks. All processes make the same exchanges in the same order; what names each, so
// that an error is found if they do not.
func (p *Peers) Exchange(what string, part []byte) ([][]byte, error) {
	if !p.Chief() {
		if err := p.link.Send(0, pack([]byte(what), part)); err != nil {
			return nil, err
		}
		answer, err := p.link.Receive(0)
		if err != nil {
			return nil, err
		}
		return p.unpacked(0, what, answer, len(p.Names))
	}
	all := make([][]byte, len(p.Names))
	all[0] = part
	err := p.each(func(task int) error {
		message, err := p.link.Receive(task)
		if err != nil {
			return err
		}
		parts, err := p.unpacked(task, what, message, 1)
		if err == nil {
			all[task] = parts[0]
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	answer := pack(append([][]byte{[]byte(what)}, all...)...)
	return all, p.each(func(task int) error { return p.link.Send(task, answer) })
}

// each calls f for every worker, all at a time.
func (p *Peers) each(f func(task int) error) error {
	var group errgroup.Group
	for task := 1; task < len(p.Names); task++ {
		group.Go(func() error { return f(task) })
	}
	return group.Wait()
}

// unpacked returns the parts of a task's message if it is the expected one.
func (p *Peers) unpacked(task int, what string, message []byte, parts int) ([][]byte, error) {
	content, err := unpack(message)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: a message is damaged: %w", p.Name(task), err)
	case len(content) == 0 || !bytes.Equal(content[0], []byte(what)) || len(content) != parts+1:
		return nil, pipeline.Errorf(pipeline.Other, "%s and %s are not at the same place of the run (%.40q, %.40q)", p.Name(p.This), p.Name(task), what, content[:min(1, len(content))])
	}
	return content[1:], nil
}

// pack puts parts into one message, each after its length.
func pack(parts ...[]byte) []byte {
	var size int
	for _, part := range parts {
		size += len(part) + binary.MaxVarintLen64
	}
	message := make([]byte, 0, size)
	for _, part := range parts {
		message = append(binary.AppendUvarint(message, uint64(len(part))), part...)
	}
	return message
}

func unpack(message []byte) (parts [][]byte, err error) {
	for len(message) > 0 {
		n, used := binary.Uvarint(message)
		if used <= 0 || n > uint64(len(message)-used) {
			return nil, fmt.Errorf("a part of %d bytes ends after %d", n, len(message))
		}
		parts = append(parts, message[used:used+int(n):used+int(n)])
		message = message[used+int(n):]
	}
	return parts, nil
}
