package main

import (
	"slices"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/job"
	"pcapbatch/internal/report"
)

// objectsHelp is what the help of a command says of names in object storage.
const objectsHelp = `Files and directories may be in object storage: s3://BUCKET/KEY. Credentials,
region and AWS_ENDPOINT_URL are those of the AWS tools.`

// objectBuffers is how many buffers of 8 MiB make the most of a fast store: so
// many for each worker, and as many again for what is written.
const (
	objectBuffer  = 8 << 20
	objectBuffers = 4
	outputBuffers = 8
)

// lendMemory gives a part of a job's memory to the object store's buffers, if one
// of the names is that of an object: as much as is of use, and at most half of what
// the job can do without.
func (e *env) lendMemory(c *job.Config, names ...string) {
	if !slices.ContainsFunc(names, durable.IsObject) {
		return
	}
	limit := int64(c.Workers*objectBuffers+outputBuffers) * objectBuffer
	if c.Memory > 0 {
		limit = min(limit, max(0, c.Memory-job.LeastMemory(c.Workers))/2)
		c.Memory -= limit
	}
	if set := c.HeapLimit; set != nil {
		c.HeapLimit = func(bytes int64) { set(bytes + limit) }
	}
	e.objects.Limit(limit, c.TempDir)
}

// onThisMachine refuses the name of an object where a directory of the machine is
// needed.
func onThisMachine(flag, dir string) error {
	if durable.IsObject(dir) {
		return usageError("--%s %s: must be a directory of this machine, not one in object storage", flag, report.Printable(dir))
	}
	return nil
}
