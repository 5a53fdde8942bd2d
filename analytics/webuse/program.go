package webuse

import (
	"cmp"
	"strings"

	"github.com/vegress/vegress/event"
)

// program is a process by the name of its file: without folder, .exe, and the
// version that interpreters carry ("python3.11" is "python").
func program(path string) string {
	name := strings.ToLower(path[strings.LastIndexAny(path, `/\`)+1:])
	name = strings.TrimSuffix(name, ".exe")
	if short := strings.TrimRight(name, "0123456789.-"); short != "" {
		return short
	}
	return name
}

// running is the program that a process runs: of an interpreter what it was
// given, where that is a developer's tool ("python3 /usr/bin/pip3 install",
// "python3 -m pip", "node .../npm-cli.js"), and lies where such are installed.
func running(p *event.Process) string {
	name := program(cmp.Or(p.Path, p.Name))
	if kindOf(name) != scripting {
		return name
	}
	words := strings.Fields(p.CmdLine)
	for i, word := range words {
		if i == 0 || strings.HasPrefix(word, "-") { // -m goes before the name of a module
			continue
		}
		given := strings.TrimSuffix(strings.TrimSuffix(program(strings.TrimSuffix(strings.TrimSuffix(word, ".js"), ".py")), "-cli"), "-")
		if kindOf(given) == developer && !inPassing(word) {
			return given
		}
		return name
	}
	return name
}

// kind is what a program is made for.
type kind uint8

const (
	plain     kind = iota
	client         // a person uses web services with it, or it is that service's own
	developer      // the same, for places of source code
	scripting      // it runs what somebody wrote
	tool           // a shell, a downloader, or a part of the system that can be made one
)

var kinds = map[string]kind{}

func init() {
	for k, names := range map[kind][]string{
		client: {
			// browsers
			"arc", "brave", "brave browser", "chrome", "chromium", "com.apple.webkit.networking", "duckduckgo", "epiphany", "firefox",
			"google chrome", "google chrome helper", "iexplore", "librewolf", "microsoft edge", "microsoft edge helper", "microsoftedge",
			"microsoftedgecp", "msedge", "msedgewebview", "opera", "safari", "vivaldi", "waterfox",
			// mail, chat and calls
			"discord", "discord helper", "element", "mail", "ms-teams", "olk", "outlook", "microsoft outlook", "microsoft teams", "signal", "skype",
			"slack", "slack helper", "teams", "telegram", "telegram desktop", "thunderbird", "webex", "whatsapp", "zoom", "zoom.us",
			// synchronization
			"bird", "box", "boxsync", "cloudd", "dropbox", "filecoauth", "google drive", "googledrivefs", "googledrivesync", "icloud",
			"iclouddrive", "icloudservices", "megasync", "nextcloud", "nsurlsessiond", "onedrive", "onedrivestandaloneupdater", "owncloud",
			// office suites
			"excel", "microsoft excel", "microsoft powerpoint", "microsoft word", "onenote", "powerpnt", "winword",
		},
		developer: {
			"cargo", "code", "code helper", "codium", "devenv", "docker", "dockerd", "containerd", "gh", "git", "git-remote-https", "github desktop",
			"githubdesktop", "glab", "go", "goland", "gradle", "idea", "intellij idea", "npm", "npx", "nuget", "pip", "pipx", "pycharm", "rider", "terraform",
			"visual studio code", "webstorm", "xcode", "yarn",
		},
		scripting: {
			"autoit", "cscript", "deno", "groovy", "java", "javaw", "jshell", "lua", "node", "osascript", "perl", "php", "python", "pythonw",
			"ruby", "tclsh", "wscript",
		},
		tool: {
			"aria2c", "bash", "bitsadmin", "busybox", "certreq", "certutil", "cmd", "cmstp", "csh", "curl", "dash", "desktopimgdownldr",
			"esentutl", "expand", "extrac", "finger", "fish", "ftp", "hh", "httpie", "ieexec", "installutil", "ksh", "lftp", "mavinject",
			"mpcmdrun", "msbuild", "mshta", "msiexec", "nc", "ncat", "netcat", "nscurl", "openssl", "powershell", "powershell_ise", "presentationhost",
			"pwsh", "regasm", "regsvcs", "regsvr", "rundll", "sh", "socat", "tcsh", "telnet", "wget", "wmic", "zsh",
		},
	} {
		for _, name := range names {
			kinds[name] = k
		}
	}
}

// kindOf is what a program is made for.
func kindOf(name string) kind { return kinds[name] }

// documents are programs that open what others sent, or serve what others ask
// for: a child of theirs that talks to the internet was hardly meant to.
var documents = map[string]bool{
	"acrobat": true, "acrord": true, "apache": true, "eqnedt": true, "excel": true, "foxitpdfreader": true, "httpd": true, "libreoffice": true,
	"microsoft excel": true, "microsoft powerpoint": true, "microsoft word": true, "mspub": true, "nginx": true, "onenote": true, "outlook": true,
	"php-fpm": true, "powerpnt": true, "preview": true, "soffice.bin": true, "sqlservr": true, "tomcat": true, "visio": true, "w3wp": true,
	"winword": true, "wmiprvse": true, "wordpad": true,
}

// passing are folders that any account may write to, and from which installed
// programs do not run.
var passing = []string{
	`\appdata\local\temp\`, `\windows\temp\`, `\users\public\`, `\programdata\`, `\perflogs\`, `\$recycle.bin\`, `\downloads\`, `\windows\tasks\`,
	"/tmp/", "/var/tmp/", "/dev/shm/", "/run/user/", "/users/shared/", "/downloads/",
}

func inPassing(path string) bool {
	path = strings.ToLower(path)
	for _, folder := range passing {
		if strings.Contains(path, folder) {
			return true
		}
	}
	return strings.Contains(path, "/.") && !strings.Contains(path, "/../") && !strings.Contains(path, "/./")
}

// fetches are what command lines that load and run something have in common.
var fetches = []string{
	" -enc", " -e ", "-encodedcommand", "downloadstring", "downloadfile", "downloaddata", "invoke-webrequest", "invoke-restmethod", "iwr ", "irm ",
	"start-bitstransfer", "frombase64string", "urlcache", "/transfer ", "| sh", "|sh", "| bash", "|bash", "base64 -d", "exec(", "eval(",
}

func fetching(line string) bool {
	line = strings.ToLower(line)
	for _, part := range fetches {
		if strings.Contains(line, part) {
			return true
		}
	}
	return false
}
