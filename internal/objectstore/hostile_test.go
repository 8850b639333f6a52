package objectstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/objecttest"
)

// serve makes a handler the object store of the test.
func serve(t *testing.T, h http.HandlerFunc) {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	for name, value := range objecttest.Environment(s.URL) {
		t.Setenv(name, value)
	}
}

// A store may answer anything. It ends with an error that says what is wrong, and
// nothing is read that was not asked for.
func TestHostile(t *testing.T) {
	listed := func(w http.ResponseWriter, token string, keys ...string) {
		fmt.Fprintf(w, "<ListBucketResult><IsTruncated>%v</IsTruncated><NextContinuationToken>%s</NextContinuationToken>", token != "", token)
		for _, k := range keys {
			fmt.Fprintf(w, `<Contents><Key>%s</Key><Size>10</Size><ETag>"x"</ETag></Contents>`, k)
		}
		fmt.Fprint(w, "</ListBucketResult>")
	}
	object := func(w http.ResponseWriter, status int, size, bounds string) {
		w.Header().Set("ETag", `"x"`)
		w.Header().Set("Content-Length", size)
		if bounds != "" {
			w.Header().Set("Content-Range", bounds)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "0123456789")
	}
	n := 0
	for _, c := range []struct {
		name, path string
		answer     http.HandlerFunc
		want       string
	}{
		{"the same list again", "dir/", func(w http.ResponseWriter, _ *http.Request) { listed(w, "again", "dir/a") }, "a list without an end"},
		{"no list ever", "dir/", func(w http.ResponseWriter, _ *http.Request) { n++; listed(w, fmt.Sprint(n)) }, "a list without an end"},
		{"no XML", "dir/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>Log in</html><p>") }, "no list"},
		{"other keys", "dir/", func(w http.ResponseWriter, _ *http.Request) { listed(w, "", "../up", "other/x") }, ""},
		{"another region", "dir/", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Bucket-Region", "mars-1")
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(http.StatusMovedPermanently)
			fmt.Fprint(w, "<Error><Code>PermanentRedirect</Code></Error>")
		}, "another region, mars-1"},
		{"another range", "o", func(w http.ResponseWriter, _ *http.Request) {
			object(w, http.StatusPartialContent, "10", "bytes 1-10/11")
		}, "another range"},
		{"a range that is too long", "o", func(w http.ResponseWriter, r *http.Request) {
			object(w, http.StatusPartialContent, "10", fmt.Sprintf("bytes 0-%d/%d", 1<<60-1, 1<<60))
		}, "another range"},
		{"a size that is too large", "o", func(w http.ResponseWriter, r *http.Request) {
			size := "10"
			if r.Method == http.MethodHead {
				size = fmt.Sprint(1 << 62)
			}
			object(w, http.StatusOK, size, "")
		}, "another range"},
		{"no ETag", "o", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "0123456789") }, "no ETag"},
	} {
		serve(t, c.answer)
		f := newFS(t)
		var err error
		if strings.HasSuffix(c.path, "/") {
			_, err = f.ReadDir(bucket + c.path)
		} else if s, oerr := f.OpenSource(bucket + c.path); oerr != nil {
			err = oerr
		} else {
			_, err = io.ReadAll(s)
			s.Close()
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", c.name, err)
		}
		f.Close()
	}
}

// What Prefetch asks for and cannot be used is asked for again, and the errors are
// those without it.
func TestPrefetchFails(t *testing.T) {
	s := objecttest.New(t)
	var paths []string
	for i := range 200 {
		key := fmt.Sprint("o", i)
		if i%10 > 0 {
			s.Put(t, key, noise(i*1000, uint64(i)))
		}
		paths = append(paths, bucket+key)
	}
	s.Put(t, "o11", nil)
	for _, want := range []durable.Want{durable.Names, durable.Heads, durable.Ends} {
		s.Fail(objecttest.Some(20, 9))
		f := newFS(t)
		f.Limit(10<<20, "")
		stop := f.Prefetch(want, paths)
		for i, path := range paths {
			if i%7 == 3 {
				continue // nobody opens it
			}
			got, err := readBy(f, want, path)
			data, ok := s.Get(t, strings.TrimPrefix(path, bucket))
			if !ok && !errors.Is(err, fs.ErrNotExist) || ok && (err != nil || want != durable.Names && string(got) != string(data)) {
				t.Fatalf("%s: %d bytes of %d, %v", path, len(got), len(data), err)
			}
		}
		stop()
		f.Close()
	}
}

// readBy reads a file in the way that is wanted.
func readBy(f *FS, want durable.Want, path string) ([]byte, error) {
	switch want {
	case durable.Heads:
		s, err := f.OpenSource(path)
		if err != nil {
			return nil, err
		}
		defer s.Close()
		return io.ReadAll(s)
	case durable.Ends:
		o, err := f.Open(path)
		if err != nil {
			return nil, err
		}
		defer o.Close()
		size, err := o.Seek(0, io.SeekEnd)
		if err != nil || size == 0 {
			return nil, err
		}
		data := make([]byte, size)
		if _, err := o.ReadAt(data[size-1:], size-1); err != nil {
			return nil, err
		}
		_, err = o.ReadAt(data, 0)
		return data, err
	}
	_, err := f.Stat(path)
	return nil, err
}

// An object that is another one when it is opened than when it was listed is an
// error, although it was asked for early.
func TestPrefetchChanged(t *testing.T) {
	s := objecttest.New(t)
	s.Put(t, "d/a", noise(1000, 1))
	s.Put(t, "d/b", noise(1000, 2))
	f := newFS(t)
	if _, err := f.ReadDir(bucket + "d"); err != nil {
		t.Fatal(err)
	}
	s.Put(t, "d/b", noise(1000, 3))
	defer f.Prefetch(durable.Heads, []string{bucket + "d/a", bucket + "d/b"})()
	if got, err := readBy(f, durable.Heads, bucket+"d/a"); err != nil || len(got) != 1000 {
		t.Errorf("a: %v", err)
	}
	if _, err := readBy(f, durable.Heads, bucket+"d/b"); !is(err, errChanged) {
		t.Errorf("b: %v", err)
	}
}

// An upload whose store does not answer is given up in a few seconds when the run
// was ended.
func TestHurriedAbort(t *testing.T) {
	s := objecttest.New(t)
	ctx, end := context.WithCancel(t.Context())
	f := New(ctx, durable.OS)
	p, err := durable.CreatePending(f, bucket+"o")
	if err != nil {
		t.Fatal(err)
	}
	s.Fail(func(r *http.Request) objecttest.Fault {
		<-r.Context().Done()
		return objecttest.Reset
	})
	end()
	f.hurriedTime = 100 * time.Millisecond
	begun := time.Now()
	p.Abort()
	f.Close()
	if took := time.Since(begun); took > 4*usualHurry {
		t.Errorf("it took %v", took)
	}
}
