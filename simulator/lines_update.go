package simulator

import "fmt"

// esxupdate is a line of the installer: since ESXi 8 "lifecycle" does its work
// for vCenter, in the same form.
func (v *voice) esxupdate(module, level, text string) message {
	return message{
		pri: 14, prog: "esxupdate", plain: v.st != styleESX9,
		text: fmt.Sprintf("%d: %s: %s: %s", 2099679, module, level, text),
	}
}

func (v *voice) lifecycle() message {
	return message{
		pri: 14, prog: "lifecycle", plain: v.st != styleESX9,
		text: fmt.Sprintf("%d: %s", 1000212917, pick(v,
			"imagemanagerctl:217 INFO Calling with command: software --getsoftwareinfo",
			"HostSeeding:998 INFO Image seeding is not needed",
			"lifecyclectl:58 INFO Scan task finished, no changes")),
	}
}

// download is the line that names a URL which the host itself fetches.
func (v *voice) download(url, name string) message {
	return v.esxupdate("downloader", "INFO", fmt.Sprintf("Downloading %s to /tmp/vibdownload/%s", url, name))
}
