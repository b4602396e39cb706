package main

import (
	"fmt"
	"net"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// echo sends every packet back as it came but for the bit that makes it a reply, 64 at a time, and does nothing else.
func echo(addr string) error {
	const (
		packets = 64
		size    = 512
	)
	runtime.LockOSThread()
	udp, err := net.ResolveUDPAddr("udp4", addr)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20); err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: udp.Port, Addr: [4]byte(udp.IP.To4())}); err != nil {
		return err
	}
	type message struct {
		header unix.Msghdr
		length uint32
	}
	messages := make([]message, packets)
	vectors := make([]unix.Iovec, packets)
	from := make([]unix.RawSockaddrInet4, packets)
	buffers := make([]byte, packets*(size+64))
	for i := range messages {
		vectors[i].Base = &buffers[i*(size+64)]
		messages[i].header.Iov = &vectors[i]
		messages[i].header.SetIovlen(1)
		messages[i].header.Name = (*byte)(unsafe.Pointer(&from[i]))
	}
	fmt.Println("ready")
	for {
		for i := range messages {
			vectors[i].SetLen(size)
			messages[i].header.Namelen = unix.SizeofSockaddrInet4
		}
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&messages[0])), packets,
			unix.MSG_WAITFORONE, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return errno
		}
		for i := range n {
			vectors[i].SetLen(int(messages[i].length))
			buffers[i*(size+64)+2] |= 0x80
		}
		for sent := uintptr(0); sent < n; {
			done, _, errno := syscall.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&messages[sent])),
				n-sent, 0, 0, 0)
			if errno != 0 {
				return errno
			}
			sent += done
		}
	}
}
