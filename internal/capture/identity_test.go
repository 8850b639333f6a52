package capture

import (
	"encoding/json"
	"testing"
)

// A path of any bytes is the same after JSON.
func TestIdentityJSON(t *testing.T) {
	for _, path := range []string{"", "a.pcap", "jä,\"ß\n.pcap", "a\xff\xfe/b\x80", "\ufffd"} {
		id := Identity{Path: path, Size: 7, ModTime: -1, Digest: "d", First: 1 << 60, Timed: true}
		text, err := json.Marshal(&id)
		if err != nil {
			t.Fatal(err)
		}
		var got Identity
		if err := json.Unmarshal(text, &got); err != nil || got != id {
			t.Errorf("%q: %+v, %v", path, got, err)
		}
	}
	var id Identity
	if err := json.Unmarshal([]byte(`{"path":"a","size":1,"mtime_ns":2,"digest":"x","first_ns":3,"timed":true}`), &id); err != nil || id.Path != "a" || !id.Timed {
		t.Errorf("made by an earlier version: %+v, %v", id, err)
	}
}
