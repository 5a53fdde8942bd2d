package linux

import "strings"

// syscallNames are system calls by the name that auditd gives an architecture
// (AUDIT_ARCH_* in include/uapi/linux/audit.h), and by number: those that say
// something of processes, connections, files, or of the machine's security.
// Other numbers stay numbers; auditd's enriched records name them all.
var syscallNames = map[string]map[string]string{
	"c000003e": table(x86_64),
	"c00000b7": table(generic), // aarch64
	"c00000f3": table(generic), // riscv64
	"40000003": table(i386),
}

// table reads a list of "number name".
func table(list string) map[string]string {
	names := map[string]string{}
	words := strings.Fields(list)
	for i := 0; i+1 < len(words); i += 2 {
		names[words[i]] = words[i+1]
	}
	return names
}

const x86_64 = `0 read 1 write 2 open 3 close 16 ioctl 18 pwrite64 33 dup2 41 socket 42 connect 43 accept 44 sendto
45 recvfrom 46 sendmsg 47 recvmsg 49 bind 50 listen 54 setsockopt 56 clone 57 fork 58 vfork 59 execve 60 exit 62 kill
76 truncate 77 ftruncate 82 rename 83 mkdir 84 rmdir 85 creat 86 link 87 unlink 88 symlink 90 chmod 91 fchmod 92 chown
93 fchown 94 lchown 95 umask 99 sysinfo 101 ptrace 103 syslog 105 setuid 106 setgid 113 setreuid 117 setresuid
132 utime 133 mknod 135 personality 155 pivot_root 157 prctl 159 adjtimex 161 chroot 164 settimeofday 165 mount
166 umount2 167 swapon 169 reboot 170 sethostname 171 setdomainname 175 init_module 176 delete_module 188 setxattr
189 lsetxattr 190 fsetxattr 197 removexattr 227 clock_settime 231 exit_group 235 utimes 246 kexec_load 257 openat
258 mkdirat 259 mknodat 260 fchownat 261 futimesat 263 unlinkat 264 renameat 265 linkat 266 symlinkat 268 fchmodat
272 unshare 280 utimensat 288 accept4 292 dup3 307 sendmmsg 308 setns 310 process_vm_readv 311 process_vm_writev
313 finit_module 316 renameat2 319 memfd_create 321 bpf 322 execveat 425 io_uring_setup 435 clone3 437 openat2`

const generic = `5 setxattr 6 lsetxattr 7 fsetxattr 14 removexattr 24 dup3 29 ioctl 33 mknodat 34 mkdirat 35 unlinkat
36 symlinkat 37 linkat 38 renameat 39 umount2 40 mount 41 pivot_root 45 truncate 46 ftruncate 51 chroot 52 fchmod
53 fchmodat 54 fchownat 55 fchown 56 openat 57 close 63 read 64 write 68 pwrite64 88 utimensat 92 personality 93 exit
94 exit_group 97 unshare 104 kexec_load 105 init_module 106 delete_module 112 clock_settime 116 syslog 117 ptrace
129 kill 142 reboot 144 setgid 145 setreuid 146 setuid 147 setresuid 161 sethostname 162 setdomainname 166 umask
167 prctl 170 settimeofday 171 adjtimex 179 sysinfo 198 socket 200 bind 201 listen 202 accept 203 connect 206 sendto
207 recvfrom 208 setsockopt 211 sendmsg 212 recvmsg 220 clone 221 execve 224 swapon 242 accept4 268 setns 269 sendmmsg
270 process_vm_readv 271 process_vm_writev 273 finit_module 276 renameat2 279 memfd_create 280 bpf 281 execveat
425 io_uring_setup 435 clone3 437 openat2`

const i386 = `1 exit 2 fork 3 read 4 write 5 open 6 close 8 creat 9 link 10 unlink 11 execve 14 mknod 15 chmod 16 lchown
21 mount 23 setuid 26 ptrace 30 utime 37 kill 38 rename 39 mkdir 40 rmdir 46 setgid 52 umount2 54 ioctl 60 umask
61 chroot 63 dup2 70 setreuid 74 sethostname 79 settimeofday 83 symlink 87 swapon 88 reboot 92 truncate 93 ftruncate
94 fchmod 95 fchown 102 socketcall 103 syslog 116 sysinfo 120 clone 121 setdomainname 124 adjtimex 128 init_module
129 delete_module 136 personality 164 setresuid 172 prctl 181 pwrite64 182 chown 190 vfork 217 pivot_root 226 setxattr
227 lsetxattr 228 fsetxattr 235 removexattr 252 exit_group 264 clock_settime 271 utimes 283 kexec_load 295 openat
296 mkdirat 297 mknodat 298 fchownat 299 futimesat 301 unlinkat 302 renameat 303 linkat 304 symlinkat 306 fchmodat
310 unshare 320 utimensat 330 dup3 345 sendmmsg 346 setns 347 process_vm_readv 348 process_vm_writev 350 finit_module
353 renameat2 356 memfd_create 357 bpf 358 execveat 359 socket 361 bind 362 connect 363 listen 364 accept4
366 setsockopt 369 sendto 370 sendmsg 371 recvfrom 372 recvmsg 425 io_uring_setup 435 clone3 437 openat2`

// socketcalls are what the first argument of i386's socketcall stands for, in
// hexadecimal (include/uapi/linux/net.h).
var socketcalls = table(`1 socket 2 bind 3 connect 4 listen 5 accept b sendto c recvfrom 10 sendmsg 11 recvmsg 12 accept4`)
