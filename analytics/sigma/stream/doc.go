// Package stream evaluates Sigma rules on the events of the service: which
// rules there are, by a site's configuration (Options, Load); what is shown to
// which of them (Policy); and what becomes of a hit. A hit is a finding of the
// rule and the entity that acts; hits that a correlation counts are told to
// the second floor, where the correlations are weighed.
package stream
