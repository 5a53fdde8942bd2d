// Package webuse is the part of detection strategy DET0425 of MITRE ATT&CK
// that looks from inside a machine: which process uses a web service, on
// Windows (AN1189), Linux (AN1190) and macOS (AN1191).
//
// A browser at a paste site is nothing; PowerShell there is. Neither the
// destination nor the process says enough alone, so each fact adds points,
// and the finding lists the facts with theirs. A connection that is justified
// adds none. Points say how unusual something is, not how likely an attack:
// the defaults let through whatever a person would do with a program made for
// it, and ask for a justification of scripts and downloaders that run on their
// own (a CI runner, a deployment, a sync job).
package webuse
