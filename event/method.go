package event

// MethodActivity is the activity of HTTP Activity for a request method, in
// capitals; ActivityOther for a method that OCSF does not name, or none.
func MethodActivity(method string) Activity {
	switch method {
	case "CONNECT":
		return HTTPConnect
	case "DELETE":
		return HTTPDelete
	case "GET":
		return HTTPGet
	case "HEAD":
		return HTTPHead
	case "OPTIONS":
		return HTTPOptions
	case "POST":
		return HTTPPost
	case "PUT":
		return HTTPPut
	case "TRACE":
		return HTTPTrace
	case "PATCH":
		return HTTPPatch
	}
	return ActivityOther
}
