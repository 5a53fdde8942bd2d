// Package risk adds up the findings of one entity. Several small things at
// one machine, each of them easily explained, together are what an analyst
// should see first: over a threshold they become one finding, the incident,
// that names them in their order.
//
// The sum at a moment is, over the findings of the entity,
//
//	risk * 2^-(age/half_life) / 2^k
//
// where risk is the finding's own (0 to 100), age the time since it was last
// seen, and k how many findings of the same kind count more: ten unjustified
// connections of one machine are not ten times as bad as one, and one that the
// host, the sensor in the guest and three rules tell of is still one. An
// incident needs findings of two kinds; one alone is seen as it is.
package risk
