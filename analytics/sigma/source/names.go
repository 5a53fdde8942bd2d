package source

import (
	"reflect"

	"github.com/vegress/vegress/event"
)

var classes = []event.Class{
	event.BaseEvent, event.FileActivity, event.ProcessActivity, event.Authentication, event.NetworkActivity,
	event.HTTPActivity, event.DNSActivity, event.SSHActivity, event.APIActivity,
}

var connecting = []string{"", "open", "close", "reset", "fail", "refuse", "traffic", "listen"}

// activities are OCSF's captions in lower case, by activity_id.
var activities = map[event.Class][]string{
	event.ProcessActivity: {"", "launch", "terminate"},
	event.FileActivity:    {"", "create", "read", "update", "delete", "rename"},
	event.Authentication:  {"", "logon", "logoff"},
	event.NetworkActivity: connecting,
	event.SSHActivity:     connecting,
	event.DNSActivity:     {"", "query", "response"},
	event.HTTPActivity:    {"", "connect", "delete", "get", "head", "options", "post", "put", "trace", "patch"},
	event.APIActivity:     {"", "create", "read", "update", "delete"},
}

func activityName(class event.Class, a event.Activity) string {
	if names := activities[class]; int(a) < len(names) {
		return names[a]
	}
	return ""
}

// knownKeys lists the keys of the struct that out points at.
func knownKeys(out any) []string {
	t := reflect.TypeOf(out).Elem()
	keys := make([]string, 0, t.NumField())
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}
