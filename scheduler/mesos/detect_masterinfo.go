package mesos

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strconv"
)

// defaultMasterPort is that of a MasterInfo that names none (mesos.proto).
const defaultMasterPort = 5050

// masterInfo is what Mesos's MasterInfo says of where a master is.
type masterInfo struct {
	// IP is the IPv4 address in network order, read as a number by a little-endian machine: 127.0.0.11 is 184549503.
	IP       uint32 `json:"ip"`
	Port     int64  `json:"port"`
	Hostname string `json:"hostname"`
	// Address is there since Mesos 0.24, and the only place for an IPv6 address.
	Address struct {
		Hostname string `json:"hostname"`
		IP       string `json:"ip"`
		Port     int64  `json:"port"`
	} `json:"address"`
}

// parseMasterInfoJSON reads the content of a json.info_ znode.
func parseMasterInfoJSON(data []byte) (string, error) {
	var info masterInfo
	if err := json.Unmarshal(data, &info); err != nil {
		return "", fmt.Errorf("not a MasterInfo: %w", err)
	}
	return info.address()
}

// address is the master's "host:port": an IP address where there is one, as Mesos binds to it.
func (m *masterInfo) address() (string, error) {
	var host string
	port := m.Port
	switch ip, err := netip.ParseAddr(m.Address.IP); {
	case err == nil:
		host, port = ip.Unmap().String(), m.Address.Port
	case m.IP != 0:
		var octets [4]byte
		binary.LittleEndian.PutUint32(octets[:], m.IP)
		host = netip.AddrFrom4(octets).String()
	case m.Address.Hostname != "":
		host, port = m.Address.Hostname, m.Address.Port
	case m.Hostname != "":
		host = m.Hostname
	default:
		return "", errors.New("a MasterInfo without an address")
	}
	if port == 0 {
		port = defaultMasterPort
	}
	if port < 0 || port > math.MaxUint16 {
		return "", fmt.Errorf("a MasterInfo with port %d", port)
	}
	return net.JoinHostPort(host, strconv.FormatInt(port, 10)), nil
}

// The fields of MasterInfo and of its Address, and the wire types of protocol buffers.
const (
	masterInfoIP, masterInfoPort, masterInfoHostname, masterInfoAddress = 2, 3, 5, 7
	addressHostname, addressIP, addressPort                             = 1, 2, 3

	wireVarint, wireFixed64, wireBytes, wireFixed32 = 0, 1, 2, 5
)

// parseMasterInfoProtobuf reads the content of an info_ znode, which Mesos wrote before 0.24.
func parseMasterInfoProtobuf(data []byte) (string, error) {
	var info masterInfo
	err := eachField(data, func(field int, number uint64, content []byte) error {
		switch field {
		case masterInfoIP:
			info.IP = uint32(number)
		case masterInfoPort:
			info.Port = int64(number)
		case masterInfoHostname:
			info.Hostname = string(content)
		case masterInfoAddress:
			return eachField(content, func(field int, number uint64, content []byte) error {
				switch field {
				case addressHostname:
					info.Address.Hostname = string(content)
				case addressIP:
					info.Address.IP = string(content)
				case addressPort:
					info.Address.Port = int64(number)
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("not a MasterInfo: %w", err)
	}
	return info.address()
}

var errCutShort = errors.New("cut short")

// eachField calls f for each field of a protocol buffers message, with its number or its content.
func eachField(message []byte, f func(field int, number uint64, content []byte) error) error {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		if n <= 0 {
			return errCutShort
		}
		message = message[n:]
		var number uint64
		var content []byte
		switch tag & 7 {
		case wireVarint:
			if number, n = binary.Uvarint(message); n <= 0 {
				return errCutShort
			}
			message = message[n:]
		case wireFixed64, wireFixed32:
			size := 8
			if tag&7 == wireFixed32 {
				size = 4
			}
			if len(message) < size {
				return errCutShort
			}
			message = message[size:]
		case wireBytes:
			length, n := binary.Uvarint(message)
			if n <= 0 || length > uint64(len(message)-n) {
				return errCutShort
			}
			content, message = message[n:n+int(length)], message[n+int(length):]
		default:
			return fmt.Errorf("wire type %d", tag&7)
		}
		if err := f(int(tag>>3), number, content); err != nil {
			return err
		}
	}
	return nil
}
