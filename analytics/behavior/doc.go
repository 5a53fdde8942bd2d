// Package behavior is what detection strategy DET0425 of MITRE ATT&CK needs
// memory for: how often, how regularly, how much and at what hours a machine,
// and its process where that is known, talks to a destination on the internet,
// and how rare that is in the estate.
//
// It keeps a little of each pair of source and destination (see pair), within
// stated bounds: a pair is on probation until its second beat, a machine that
// makes up ever new destinations gets no more room, and a full table gives up
// the pair that matters least, or none.
//
// What is justified is not looked at: a clock alone is no crime, and whether a
// regular connection is expected, configuration says. The package knows
// nothing of inventories, names and log formats.
package behavior
