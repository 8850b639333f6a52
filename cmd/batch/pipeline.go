package main

import (
	"context"
	"io"
	"math"
	"sync"

	"pcapbatch/internal/decode"
	"pcapbatch/internal/flow"
	"pcapbatch/internal/reader"
	"pcapbatch/internal/shard"
)

// A block carries records of one capture, or merged ones, through decoding: a shard.Block.
type block struct {
	reader.Block
	decoder   *decode.Decoder
	fragments *decode.Fragments // of the stretch
	counts    *stretchCounts    // of the stretch; nil where only the sum of all counts
	input     *input            // that the records are of; nil where they are of several
	events    []flow.Event
}

func (b *block) Decode() {
	records := b.Records
	if cap(b.events) < len(records) {
		b.events = make([]flow.Event, len(records), len(records)+len(records)/4)
	}
	events := b.events[:len(records)]
	d := b.decoder
	d.Begin()
	n := 0
	latest := int64(math.MinInt64)
	for i := range records {
		r := &records[i]
		latest = max(latest, r.Time)
		if d.Decode(&events[n], r.Link, b.Data[r.Off:r.Off+r.CapLen], r.WireLen, r.Time) {
			n++
		}
	}
	b.events = events[:n]
	if b.input != nil {
		b.input.reached(latest)
	}
	if b.counts != nil {
		b.counts.take(d.Counts())
	}
}

// stretchCounts are what the decoders counted in one stretch.
type stretchCounts struct {
	mu  sync.Mutex
	sum decode.Counts
}

// take adds c and clears it.
func (s *stretchCounts) take(c *decode.Counts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum.Add(c)
	*c = decode.Counts{}
}

func (b *block) Ordered() bool        { return b.decoder.HasFragments() }
func (b *block) Resolve()             { b.fragments.Resolve(b.decoder, b.events) }
func (b *block) Events() []flow.Event { return b.events }

// A pipeline is what the stretches and blocks of one run have in common.
type pipeline struct {
	stdin    io.Reader
	decoding decode.Options
	strict   bool
	report   *report
	progress progressCounts
	spare    *reader.Spare // of captures; may be nil

	mu     sync.Mutex
	blocks []*block // all there are, for their counts
}

// newBlock is shard.Config.NewBlock.
func (p *pipeline) newBlock() shard.Block {
	b := &block{decoder: decode.New(p.decoding)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blocks = append(p.blocks, b)
	return b
}

// counts adds up what the decoders counted. Requires: the run has ended.
func (p *pipeline) counts() *decode.Counts {
	var sum decode.Counts
	for _, b := range p.blocks {
		sum.Add(b.decoder.Counts())
	}
	return &sum
}

// A stretch reads captures one after the other: a shard.Stretch. A capture
// that is damaged is reported and the next one goes on.
type stretch struct {
	*pipeline
	inputs    []*input
	number    int // of the next input
	current   *reader.Capture
	fragments decode.Fragments
	workers   int            // goroutines that a decompressor may use
	counts    *stretchCounts // with --state
}

// Read is shard.Stretch's.
func (s *stretch) Read(ctx context.Context, sb shard.Block) error {
	b := sb.(*block)
	for {
		if s.current == nil {
			if s.number == len(s.inputs) {
				return io.EOF
			}
			if err := s.open(ctx); err != nil {
				return err
			}
			continue
		}
		in := s.inputs[s.number-1]
		err := in.next(ctx, s.current, &b.Block)
		if in.live && ctx.Err() != nil {
			s.current = nil // still in use by the read that goes on waiting
			return context.Cause(ctx)
		}
		s.progress.advance(len(b.Records))
		if err == nil {
			b.input, b.fragments, b.counts = in, &s.fragments, s.counts
			return nil
		}
		c := s.current
		s.current = nil
		if err := s.finish(in, c, err); err != nil {
			return err
		}
	}
}

// open opens the next capture. It leaves current nil if that fails.
func (s *stretch) open(ctx context.Context) error {
	in := s.inputs[s.number]
	s.number++
	c := in.capture
	if c == nil {
		var err error
		if c, err = in.open(ctx, s.stdin, reader.Options{Workers: s.workers, Size: in.size, Spare: s.spare}); err != nil {
			s.progress.skip()
			return s.damage(err)
		}
	}
	s.current = c
	s.progress.begin(c)
	return nil
}

// finish takes down what there was in a capture, which ended with err, and
// closes it.
func (p *pipeline) finish(in *input, c *reader.Capture, err error) error {
	if err == io.EOF {
		err = nil
	}
	p.report.capture(in, c, err)
	p.progress.end(c)
	closed := c.Close()
	if err != nil {
		return p.damage(err)
	}
	if closed != nil {
		return p.damage(closed)
	}
	return nil
}

// damage reports err; with --strict it ends the run.
func (p *pipeline) damage(err error) error {
	if p.strict {
		return &exitError{exitPartial, err}
	}
	p.report.damage(err)
	return nil
}

// Decoded is shard.Stretch's.
func (s *stretch) Decoded() { s.fragments.Forget() }

// Close is shard.Stretch's.
func (s *stretch) Close() error {
	for _, in := range s.inputs[s.number:] {
		if in.capture != nil {
			in.capture.Close()
		}
	}
	if s.current == nil {
		return nil
	}
	c := s.current
	s.current = nil
	return c.Close()
}
