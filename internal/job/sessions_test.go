package job

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// An option that has its default is absent, and what is absent has its default.
func TestSessionsJSON(t *testing.T) {
	for text, want := range map[string]Sessions{
		`{}`:                             DefaultSessions(),
		`{"direction":"unidirectional"}`: {Unidirectional: true, IdleThreshold: 5 * time.Second},
		`{"decapsulate":"true","idle-threshold":"0s"}`: {Decapsulate: true},
		`{"idle-timeout":"1m0s","key":"vlan"}`:         {VLAN: true, IdleThreshold: 5 * time.Second, IdleTimeout: time.Minute},
		`{"key":"capture"}`:                            {Capture: true, IdleThreshold: 5 * time.Second},
		`{"key":"vlan,capture"}`:                       {VLAN: true, Capture: true, IdleThreshold: 5 * time.Second},
	} {
		var got Sessions
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if back, err := json.Marshal(want); err != nil || string(back) != text {
			t.Errorf("%+v is written as %s, %v", want, back, err)
		}
	}
}

// Every field is kept: one that MarshalJSON forgets would be lost on the way.
func TestSessionsKeepsEveryField(t *testing.T) {
	typ := reflect.TypeFor[Sessions]()
	for i := range typ.NumField() {
		s := DefaultSessions()
		switch f := reflect.ValueOf(&s).Elem().Field(i); f.Kind() {
		case reflect.Bool:
			f.SetBool(true)
		case reflect.String:
			f.SetString("vxlan=4000")
		case reflect.Int64:
			f.SetInt(int64(7 * time.Second))
		default:
			t.Fatalf("field %s: teach this test its type", typ.Field(i).Name)
		}
		text, err := json.Marshal(s)
		var back Sessions
		if err == nil {
			err = json.Unmarshal(text, &back)
		}
		if err != nil || back != s {
			t.Errorf("field %s: %s, %v", typ.Field(i).Name, text, err)
		}
		if d := s.Differences(DefaultSessions()); len(d) != 1 {
			t.Errorf("field %s: differences %q", typ.Field(i).Name, d)
		}
	}
}

// An option of a later version is refused by its name, and so are values that
// are none.
func TestSessionsRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"quic-end":"true"}`:        `option "quic-end" is not known`,
		`{"direction":"up"}`:         `option "direction" is "up"`,
		`{"idle-timeout":"-1s"}`:     `option "idle-timeout" is "-1s"`,
		`{"idle-threshold":"often"}`: `option "idle-threshold" is "often"`,
		`{"key":7}`:                  "cannot unmarshal",
		`{"key":"capture,vlan"}`:     `option "key" is "capture,vlan"`,
	} {
		var s Sessions
		if err := json.Unmarshal([]byte(text), &s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
