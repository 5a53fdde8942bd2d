package simulator

import "fmt"

func shellKinds() []utterance {
	return []utterance{{2, (*voice).shellNoise}, {3, (*voice).sshd}, {1, (*voice).dcui}}
}

// shell is a command in the ESXi shell: since ESXi 8 an audit record of its
// own form, before a plain line.
func (v *voice) shell(command string) message {
	if v.st == styleESX7 {
		return message{pri: 14, prog: "shell", pid: 2239481, plain: true, text: "[root]: " + command}
	}
	sd := fmt.Sprintf(`[shell.cmd@6876 subject="root" object="shell" command="%s" result="success" status="0"]`, escapeParam(command))
	return message{pri: 110, prog: "shell", pid: 2239481, sd: sd}
}

func (v *voice) shellNoise() message {
	return v.shell(pick(v, "esxtop", "esxcli vm process list", "vim-cmd vmsvc/getallvms", "tail /var/log/vmkernel.log",
		"esxcli network nic list", "df -h", "esxcli storage core path list | grep -i dead"))
}

func (v *voice) sshd() message {
	port := v.between(32768, 61000)
	m := message{pri: 38, prog: "sshd", pid: 2102293, plain: v.st != styleESX9}
	m.text = pick(v,
		fmt.Sprintf("Connection from %s port %d", adminAddress, port),
		fmt.Sprintf("Accepted publickey for root from %s port %d ssh2: RSA SHA256:%s", adminAddress, port, "qzk"+v.hex(16)+v.hex(16)),
		fmt.Sprintf("Disconnected from user root %s port %d", adminAddress, port),
		"pam_unix(sshd:session): session closed for user root")
	return m
}

// sshLogin is a login by password that was "Accepted" or has "Failed".
func (v *voice) sshLogin(how, from string, port int) message {
	return message{
		pri: 38, prog: "sshd", pid: 2102293, plain: v.st != styleESX9,
		text: fmt.Sprintf("%s keyboard-interactive/pam for root from %s port %d ssh2", how, from, port),
	}
}

func (v *voice) dcui() message {
	return pick(v,
		message{pri: 86, prog: "DCUI", plain: v.st != styleESX9, text: `pam_per_user: create_subrequest_handle(): doing map lookup for user "root"`},
		message{pri: 32, prog: "DCUI", plain: v.st != styleESX9, text: "Authentication of user root succeeded"},
		message{pri: 14, prog: "DCUI", plain: v.st != styleESX9, text: "User root logged in"})
}
