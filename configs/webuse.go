package configs

import "github.com/vegress/vegress/analytics/webuse"

// WebUse are the elements of the three analytics that look at processes. They
// stand under analytics with those that are about habits.
func (c *Config) WebUse() webuse.Options {
	return webuse.Options{
		ProcessName: c.Behavior.AN1189.ProcessName, ParentProcess: c.Behavior.AN1190.ParentProcess,
		HostnamePattern: c.Behavior.AN1190.HostnamePattern, ProcessSignature: c.Behavior.AN1191.ProcessSignature,
	}
}
