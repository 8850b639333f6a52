package ingest

import (
	"context"
	"io"
	"runtime"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/linktype"
	"pcapbatch/internal/reader"
	"pcapbatch/internal/report"
)

// Inspect reads the capture at path from end to end and says what is in it. What
// is wrong with the capture is part of that; the error is the cause of ctx.
func Inspect(ctx context.Context, fsys durable.FS, path string, stdin io.Reader) (*report.Inspection, error) {
	in := newInput(fsys, path, stdin)
	c, err := in.openCapture(ctx, fsys, stdin, reader.Options{Workers: runtime.GOMAXPROCS(0)})
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	if err != nil {
		d := damageOf(path, err)
		d.Path = path
		return report.NotOpened(d), nil
	}
	i := &report.Inspection{Path: path}
	var b reader.Block
	for {
		err := in.next(ctx, c, &b)
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause // c is left to the read that may go on
		}
		count(i, b.Records)
		if err == nil {
			continue
		}
		if err == io.EOF {
			err = nil
		}
		describe(i, c)
		if closed := c.Close(); err == nil {
			err = closed
		}
		if err != nil {
			d := damageOf(path, err)
			i.Damage = &d
		}
		return i, nil
	}
}

// count adds a block of records.
func count(i *report.Inspection, records []reader.Record) {
	for k := range records {
		r := &records[k]
		i.CaptureBytes += uint64(r.CapLen)
		i.WireBytes += uint64(r.WireLen)
		if r.Flags&reader.NoTime != 0 {
			continue
		}
		if i.First == nil {
			first, last := r.Time, r.Time
			i.First, i.Last = &first, &last
		}
		*i.First, *i.Last = min(*i.First, r.Time), max(*i.Last, r.Time)
	}
}

// describe records what the capture says of itself. Requires: it was read to its
// end.
func describe(i *report.Inspection, c *reader.Capture) {
	info := c.Info()
	i.Format, i.Version, i.Compression = info.Format, info.Version, info.Compression
	i.ByteOrder, i.TimeResolution = info.ByteOrder, info.TimeResolution
	i.Interfaces, i.Sections, i.Snaplen = info.Interfaces, info.Sections, info.Snaplen
	i.Records, i.NoTime, i.ClampedTime = info.Records, info.NoTime, info.ClampedTime
	i.Bytes, i.Warnings = c.BytesRead(), info.Warnings
	i.LinkTypes = []report.InspectedLink{}
	for _, l := range info.Links {
		i.LinkTypes = append(i.LinkTypes, report.InspectedLink{Link: l.Link, Name: linktype.Name(l.Link), Records: l.Records})
	}
	for _, s := range info.Skipped {
		if i.Skipped == nil {
			i.Skipped = map[string]uint64{}
		}
		i.Skipped[s.Name] += s.Blocks
	}
	i.Times()
}
