// Package session keeps one login to one vCenter: TLS with a CA or a pinned
// certificate, the SOAP session and the REST session that tags need, what a
// failure means, and how long to wait after it.
//
// It holds at most one SOAP and one REST session at a time and logs out what
// it drops, so that a vCenter never collects sessions of ours. A session that
// is lost is not repaired: Drop it and Connect again, and everything made with
// the old client (views, collectors, filters) is made anew. It reads no
// inventory.
package session
