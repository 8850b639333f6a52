package objectstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/objecttest"
)

const bucket = durable.ObjectScheme + objecttest.Bucket + "/"

func TestMain(m *testing.M) { os.Exit(capturetest.Run(m)) }

// noise is an object of so many bytes.
func noise(n int, seed uint64) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

// newFS returns an FS that tries again what failed sooner than usual: as often,
// and with pauses that grow in the same way.
func newFS(t testing.TB) *FS {
	f := New(t.Context(), durable.OS)
	f.firstPause = time.Millisecond
	t.Cleanup(func() {
		f.Close()
		if f.budget.left != f.budget.limit {
			t.Errorf("%d bytes of %d are left of the budget", f.budget.left, f.budget.limit)
		}
	})
	return f
}

// An object is read as it is, one byte after the other and at any place, while one
// in ten requests fails.
func TestRead(t *testing.T) {
	s := objecttest.New(t)
	want := noise(21<<20+7, 1)
	s.Put(t, "large", want)
	s.Fail(objecttest.Some(10, 3))
	for _, limit := range []int64{0, 1 << 20, 20 << 20, 200 << 20} {
		f := newFS(t)
		f.Limit(limit, "")
		o, err := f.OpenSource(bucket + "large")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(o)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("limit %d: %d bytes, %v", limit, len(got), err)
		}
		readAround(t, o, want)
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	}
}

// readAround reads at places far and near, from several goroutines.
func readAround(t *testing.T, o io.ReaderAt, want []byte) {
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 4))
			at := int64(0)
			for range 60 {
				if rng.IntN(8) == 0 {
					at = rng.Int64N(int64(len(want)))
				}
				p := make([]byte, 1+rng.IntN(400<<10))
				n, err := o.ReadAt(p, at)
				if err == io.EOF && at+int64(len(p)) > int64(len(want)) {
					err = nil
					p = p[:len(want)-int(at)]
				}
				if err != nil || n != len(p) || !bytes.Equal(p, want[at:][:n]) {
					t.Errorf("%d bytes at %d: %d, %v", len(p), at, n, err)
					return
				}
				at = min(at+int64(n), int64(len(want))-1)
			}
		})
	}
	all.Wait()
}

// Whoever wants the head of an object does not pay for more, and a file asks for
// what it is read at, and no more than Expect says.
func TestReadsNoMore(t *testing.T) {
	s := objecttest.New(t)
	data := noise(3<<20, 2)
	s.Put(t, "o", data)
	f := newFS(t)
	o, err := f.OpenSource(bucket + "o")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(o, make([]byte, 16<<10)); err != nil {
		t.Fatal(err)
	}
	o.Close()
	r, err := f.Open(bucket + "o")
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 16)
	for _, at := range []int64{0, 3<<20 - 20, 3<<20 - 5000} {
		if _, err := r.ReadAt(p, at); err != nil || !bytes.Equal(p, data[at:][:16]) {
			t.Errorf("at %d: %v", at, err)
		}
	}
	durable.Expect(r, 1<<20, 100<<10)
	for at := int64(0); at < 100<<10; at += 10 << 10 {
		q := make([]byte, 10<<10)
		if _, err := r.ReadAt(q, 1<<20+at); err != nil || !bytes.Equal(q, data[1<<20+at:][:len(q)]) {
			t.Errorf("at %d: %v", at, err)
		}
	}
	r.Close()
	var ranges []string
	for _, line := range s.Requests() {
		if _, after, ok := strings.Cut(line, "bytes="); ok {
			after, _, _ = strings.Cut(after, "x-id")
			ranges = append(ranges, after)
		}
	}
	want := []string{"0-65535", "0-15", "3080192-3145727", "1048576-1064959", "1064960-1097727", "1097728-1150975"}
	if !slices.Equal(ranges, want) {
		t.Errorf("asked for %q", ranges)
	}
}

// An object that changes while it is read is an error that says so.
func TestChanged(t *testing.T) {
	s := objecttest.New(t)
	s.Put(t, "o", noise(9<<20, 3))
	f := newFS(t)
	f.Limit(0, "")
	o, err := f.OpenSource(bucket + "o")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if _, err := io.ReadFull(o, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	s.Put(t, "o", noise(9<<20, 4))
	if _, err := io.ReadAll(o); !is(err, errChanged) {
		t.Errorf("read: %v", err)
	}
	if _, err := f.Open(bucket + "o"); err != nil {
		t.Errorf("opened: %v", err)
	}
}

// An object appears when all of it is written, whatever its size, and while one in
// ten requests fails.
func TestWrite(t *testing.T) {
	s := objecttest.New(t)
	s.Fail(objecttest.Some(10, 5))
	for i, size := range []int{0, 1, 100, 8 << 20, 8<<20 + 1, 27 << 20} {
		f := newFS(t)
		for j := range 2 { // the first in a directory is begun at once
			key := fmt.Sprintf("d%d/o%d", i, j)
			want := noise(size, uint64(i))
			p, err := durable.CreatePending(f, bucket+key)
			if err != nil {
				t.Fatal(err)
			}
			for rest := want; len(rest) > 0; {
				n := min(len(rest), 1<<20-7)
				if _, err := p.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if _, ok := s.Get(t, key); ok {
				t.Errorf("%s is there too early", key)
			}
			if err := p.Commit(); err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			if got, ok := s.Get(t, key); !ok || !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes of %d", key, len(got), size)
			}
		}
	}
	if left := s.Unfinished(); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
}

// An upload that is given up, or cannot be completed, leaves nothing.
func TestWriteAborted(t *testing.T) {
	for _, when := range []string{"given up", "part fails", "completion fails", "closed"} {
		s := objecttest.New(t)
		f := newFS(t)
		p, err := durable.CreatePending(f, bucket+"o")
		if err != nil {
			t.Fatal(err)
		}
		s.Fail(func(r *http.Request) objecttest.Fault {
			id := r.URL.Query().Get("uploadId") != ""
			if id && (when == "part fails" && r.Method == http.MethodPut || when == "completion fails" && r.Method == http.MethodPost) {
				return objecttest.Denied
			}
			return objecttest.None
		})
		_, werr := p.Write(noise(20<<20, 1))
		switch when {
		case "given up":
			p.Abort()
		case "closed":
			f.Close()
		default:
			if werr == nil {
				werr = p.Commit()
			} else {
				p.Abort()
			}
			if !errors.Is(werr, fs.ErrPermission) {
				t.Errorf("%s: %v", when, werr)
			}
		}
		if keys, left := s.Keys(t), s.Unfinished(); len(keys)+len(left) > 0 {
			t.Errorf("%s: left are %q and %q", when, keys, left)
		}
	}
}

// Parts grow so that the largest object that is allowed can be written.
func TestPartSize(t *testing.T) {
	sum := int64(0)
	for i := range mostParts {
		if sum += partSize(i); partSize(i) > 5<<30 {
			t.Fatalf("part %d has %d bytes", i, partSize(i))
		}
	}
	if sum < 5<<40 {
		t.Errorf("%d bytes in all", sum)
	}
}

// Keys are what follows the bucket, byte for byte.
func TestNames(t *testing.T) {
	s := objecttest.New(t)
	keys := []string{"a b.pcap", "ä/ö ü.pcap", "p%20q.pcap", "h#1?x=y&z.pcap", "star*.pcap", "[x].pcap", "plus+.pcap", "dd//x.pcap", "q\"'<&>.pcap", "e=mc^2~`{}|;:@$,!.pcap"}
	for _, key := range keys {
		s.Put(t, key, []byte(key))
	}
	s.Put(t, "sub/", nil) // what some tools make for a directory
	s.Put(t, "sub/x", []byte("x"))
	f := newFS(t)
	for _, key := range keys {
		i, err := f.Stat(bucket + key)
		if err != nil || i.IsDir() || i.Size() != int64(len(key)) {
			t.Errorf("%s: %v", key, err)
			continue
		}
		o, err := f.OpenSource(bucket + key)
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		if got, err := io.ReadAll(o); string(got) != key || err != nil {
			t.Errorf("%s: %q, %v", key, got, err)
		}
		o.Close()
	}
	var walked []string
	err := durable.WalkDir(f, strings.TrimSuffix(bucket, "/"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			walked = append(walked, strings.TrimPrefix(path, bucket))
		}
		return err
	})
	want := append(slices.Clone(keys), "sub/x")
	slices.Sort(want)
	slices.Sort(walked)
	if err != nil || !slices.Equal(walked, want) {
		t.Errorf("walked %q, %v", walked, err)
	}
	for pattern, want := range map[string][]string{
		"*b.pcap": {"a b.pcap"}, "[a-z]* *": {"a b.pcap"}, "ä/*": {"ä/ö ü.pcap"}, "*/x": {"sub/x"}, "s*b": {"sub/"},
		"d?//*": {"dd//x.pcap"}, "p%20?.pcap": {"p%20q.pcap"}, "none*": nil, `\[x\].*`: {"[x].pcap"}, "*/*/*": {"dd//x.pcap"},
	} {
		got, err := f.Glob(bucket + pattern)
		for i := range got {
			got[i] = strings.TrimPrefix(got[i], bucket)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s matches %q, %v", pattern, got, err)
		}
	}
}

// What there is not, and what may not be read, is said in a few words that name
// the object, and nothing secret.
func TestErrors(t *testing.T) {
	s := objecttest.New(t)
	s.Put(t, "o", []byte("x"))
	for _, c := range []struct {
		name  string
		fault objecttest.Fault
		want  string
		is    error
	}{
		{bucket + "none", objecttest.None, "no such object", fs.ErrNotExist},
		{bucket + "none/", objecttest.None, "no objects", fs.ErrNotExist},
		{"s3://nowhere/o", objecttest.None, "no such bucket", fs.ErrNotExist},
		{"s3://nowhere", objecttest.None, "no such bucket", fs.ErrNotExist},
		{"s3:///o", objecttest.None, "names no bucket", nil},
		{bucket + "o", objecttest.Denied, "access denied", fs.ErrPermission},
		{bucket + "o", objecttest.Refused, "refuses the credentials: InvalidAccessKeyId", fs.ErrPermission},
	} {
		s.Fail(func(*http.Request) objecttest.Fault { return c.fault })
		f := newFS(t)
		_, err := f.Stat(c.name)
		p, ok := errors.AsType[*fs.PathError](err)
		if !ok || !strings.Contains(p.Err.Error(), c.want) || !strings.HasPrefix(p.Path, strings.TrimSuffix(c.name, "/")) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && (strings.Contains(err.Error(), objecttest.Secret) || strings.Contains(err.Error(), objecttest.KeyID)) {
			t.Errorf("a secret is in %v", err)
		}
	}
	s.Fail(nil)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	if _, err := newFS(t).Stat(bucket + "o"); !is(err, errNoCredentials) {
		t.Errorf("without credentials: %v", err)
	}
}
