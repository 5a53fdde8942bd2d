package forward

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestDecodeAck(t *testing.T) {
	for _, tt := range []struct {
		name, data string
		want       error
	}{
		{"stored", `{"stream":"S","seq":1}`, nil},
		{"known", `{"stream":"S","seq":1,"duplicate":true}`, nil},
		{"of a consumer", "+ACK", errNoAck},
		{"of a program", `{}`, errNoAck},
		{"empty", ``, errNoAck},
		{"no place", `{"stream":"S"}`, errNoAck},
		{"refused", `{"error":{"code":503,"err_code":10077,"description":"d"}}`, &jetstream.APIError{ErrorCode: storeFailed}},
	} {
		var ack pubAck
		if err := decodeAck(&nats.Msg{Data: []byte(tt.data)}, &ack); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}
