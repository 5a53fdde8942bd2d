package simulator

import "fmt"

// lostMessages is vmsyslogd's own report that it could not send so many
// messages.
func (v *voice) lostMessages(target string, n int) message {
	return message{
		pri: 14, prog: "vmsyslogd", plain: true,
		text: fmt.Sprintf("vmsyslog logger %s lost %d log messages", target, n),
	}
}

// cutMessage is a message that was too long for the log host: ESXi cuts it and
// says so in its structured data.
func (v *voice) cutMessage(length int) message {
	m := v.hostd("info", "Vimsvc.TaskManager", fmt.Sprintf("Task Completed : haTask-%d-vim.VirtualMachine.reconfigure Status success, with a long tail that is cut he", v.between(1, 99)))
	mark := fmt.Sprintf(`msgModified="length" remoteHostMaxMsgLen="1024" originalLen="%d"`, length)
	switch v.st {
	case styleESX7, styleESX8:
		m.sd = "[Originator@6876 sub=" + m.sub + " " + mark + "]"
		m.sub, m.opID, m.user = "", "", ""
	case styleESX9:
		m.sd = `[esx@4413 sub="` + m.sub + `" ` + mark + "]"
	default:
		m.sd = "[" + originatorName + ` sub="` + m.sub + `" ` + mark + "]"
	}
	return m
}

// setLogHost is a command of the ESXi shell that sends the host's logs to
// another place.
func (v *voice) setLogHost(target string) message {
	return v.shell("esxcli system syslog config set --loghost='" + target + "'")
}
