package simulator

import "fmt"

// lifecycle does since ESXi 8 what esxupdate did for vCenter.
func (v *voice) lifecycle() message {
	return message{
		pri: 14, prog: "lifecycle", plain: v.st != styleESX9,
		text: fmt.Sprintf("%d: %s", 1000212917, pick(v,
			"imagemanagerctl:217 INFO Calling with command: software --getsoftwareinfo",
			"HostSeeding:998 INFO Image seeding is not needed",
			"lifecyclectl:58 INFO Scan task finished, no changes")),
	}
}

// download is the installer's line that names a URL which the host itself
// fetches.
func (v *voice) download(url, name string) message {
	return message{
		pri: 14, prog: "esxupdate", plain: v.st != styleESX9,
		text: fmt.Sprintf("%d: downloader: INFO: Downloading %s to /tmp/vibdownload/%s", 2099679, url, name),
	}
}
