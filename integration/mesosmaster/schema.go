package mesosmaster

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// messages are the messages of mesos/v1/scheduler/scheduler.proto and mesos/v1/mesos.proto of Mesos 1.11 that calls are
// made of, as far as a scheduler without operations on resources needs them. A type is string, bool, double, uint32,
// int64, bytes, the names of an enum joined by "|", or another message; "*" before it means required, "[]" repeated.
var messages = map[string]map[string]string{
	"Call": {"type": "SUBSCRIBE|TEARDOWN|ACCEPT|DECLINE|ACCEPT_INVERSE_OFFERS|DECLINE_INVERSE_OFFERS|REVIVE|SUPPRESS|KILL|SHUTDOWN|" +
		"ACKNOWLEDGE|ACKNOWLEDGE_OPERATION_STATUS|RECONCILE|RECONCILE_OPERATIONS|MESSAGE|REQUEST|UPDATE_FRAMEWORK",
		"framework_id": "ID", "subscribe": "Subscribe", "accept": "Accept", "decline": "Decline",
		"accept_inverse_offers": "InverseOffers", "decline_inverse_offers": "InverseOffers", "revive": "Roles", "suppress": "Roles",
		"kill": "Kill", "acknowledge": "Acknowledge", "reconcile": "Reconcile", "message": "Message"},
	"ID":             {"value": "*string"},
	"Subscribe":      {"framework_info": "*FrameworkInfo", "suppressed_roles": "[]string"},
	"Accept":         {"offer_ids": "[]ID", "operations": "[]Operation", "filters": "Filters"},
	"Decline":        {"offer_ids": "[]ID", "filters": "Filters"},
	"InverseOffers":  {"inverse_offer_ids": "[]ID", "filters": "Filters"},
	"Roles":          {"roles": "[]string"},
	"Kill":           {"task_id": "*ID", "agent_id": "ID", "kill_policy": "KillPolicy"},
	"Acknowledge":    {"agent_id": "*ID", "task_id": "*ID", "uuid": "*bytes"},
	"Reconcile":      {"tasks": "[]Reconcile.Task"},
	"Reconcile.Task": {"task_id": "*ID", "agent_id": "ID"},
	"Message":        {"agent_id": "*ID", "executor_id": "*ID", "data": "*bytes"},
	"Filters":        {"refuse_seconds": "double"},
	"Operation":      {"type": "LAUNCH|LAUNCH_GROUP|RESERVE|UNRESERVE|CREATE|DESTROY", "id": "ID", "launch": "Launch"},
	"Launch":         {"task_infos": "[]TaskInfo"},
	"FrameworkInfo":  {"user": "*string", "name": "*string", "id": "ID", "failover_timeout": "double", "checkpoint": "bool", "role": "string", "roles": "[]string", "hostname": "string", "principal": "string", "webui_url": "string", "capabilities": "[]Capability", "labels": "Labels"},
	"Capability":     {"type": "REVOCABLE_RESOURCES|TASK_KILLING_STATE|GPU_RESOURCES|SHARED_RESOURCES|PARTITION_AWARE|MULTI_ROLE|RESERVATION_REFINEMENT|REGION_AWARE"},
	"TaskInfo":       {"name": "*string", "task_id": "*ID", "agent_id": "*ID", "resources": "[]Resource", "executor": "ExecutorInfo", "command": "CommandInfo", "container": "ContainerInfo", "health_check": "HealthCheck", "kill_policy": "KillPolicy", "data": "bytes", "labels": "Labels", "discovery": "DiscoveryInfo", "max_completion_time": "Time"},
	"ExecutorInfo":   {"type": "DEFAULT|CUSTOM", "executor_id": "*ID", "framework_id": "ID", "command": "CommandInfo", "container": "ContainerInfo", "resources": "[]Resource", "name": "string"},
	"Resource":       {"name": "*string", "type": "*SCALAR|RANGES|SET", "scalar": "Scalar", "ranges": "Ranges", "set": "Set", "role": "string", "allocation_info": "Allocation", "reservations": "[]Reservation", "disk": "Any", "revocable": "Any", "shared": "Any", "provider_id": "ID"},
	"Scalar":         {"value": "*double"},
	"Ranges":         {"range": "[]Range"},
	"Range":          {"begin": "*int64", "end": "*int64"},
	"Set":            {"item": "[]string"},
	"Allocation":     {"role": "string"},
	"Reservation":    {"type": "STATIC|DYNAMIC", "role": "string", "principal": "string", "labels": "Labels"},
	"CommandInfo":    {"uris": "[]URI", "environment": "Environment", "shell": "bool", "value": "string", "arguments": "[]string", "user": "string"},
	"URI":            {"value": "*string", "executable": "bool", "extract": "bool", "cache": "bool", "output_file": "string"},
	"Environment":    {"variables": "[]Variable"},
	"Variable":       {"name": "*string", "type": "VALUE|SECRET", "value": "string", "secret": "Any"},
	"ContainerInfo":  {"type": "*DOCKER|MESOS", "volumes": "[]Volume", "hostname": "string", "docker": "DockerInfo", "mesos": "MesosInfo", "network_infos": "[]NetworkInfo", "tty_info": "TTYInfo"},
	"DockerInfo":     {"image": "*string", "network": "HOST|BRIDGE|NONE|USER", "port_mappings": "[]PortMapping", "privileged": "bool", "parameters": "[]Parameter", "force_pull_image": "bool"},
	"PortMapping":    {"host_port": "*uint32", "container_port": "*uint32", "protocol": "string"},
	"Parameter":      {"key": "*string", "value": "*string"},
	"MesosInfo":      {"image": "Image"},
	"Image":          {"type": "*APPC|DOCKER", "docker": "Image.Docker", "cached": "bool"},
	"Image.Docker":   {"name": "*string"},
	"Volume":         {"mode": "*RW|RO", "container_path": "*string", "host_path": "string", "image": "Image", "source": "Any"},
	"NetworkInfo":    {"ip_addresses": "[]IPAddress", "name": "string", "groups": "[]string", "labels": "Labels", "port_mappings": "[]PortMapping"},
	"IPAddress":      {"protocol": "IPv4|IPv6", "ip_address": "string"},
	"TTYInfo":        {"window_size": "Any"},
	"HealthCheck":    {"type": "COMMAND|HTTP|TCP", "command": "CommandInfo", "http": "HTTPCheckInfo", "tcp": "TCPCheckInfo", "delay_seconds": "double", "interval_seconds": "double", "timeout_seconds": "double", "grace_period_seconds": "double", "consecutive_failures": "uint32"},
	"HTTPCheckInfo":  {"protocol": "IPv4|IPv6", "scheme": "string", "port": "*uint32", "path": "string", "statuses": "[]uint32"},
	"TCPCheckInfo":   {"protocol": "IPv4|IPv6", "port": "*uint32"},
	"KillPolicy":     {"grace_period": "Time"},
	"Time":           {"nanoseconds": "*int64"},
	"Labels":         {"labels": "[]Label"},
	"Label":          {"key": "*string", "value": "string"},
	"DiscoveryInfo":  {"visibility": "*FRAMEWORK|CLUSTER|EXTERNAL", "name": "string", "environment": "string", "location": "string", "version": "string", "ports": "Ports", "labels": "Labels"},
	"Ports":          {"ports": "[]Port"},
	"Port":           {"number": "*uint32", "name": "string", "protocol": "string", "visibility": "FRAMEWORK|CLUSTER|EXTERNAL", "labels": "Labels"},
}

// fieldNames are the fields of each message, sorted.
var fieldNames = func() map[string][]string {
	out := map[string][]string{}
	for name, fields := range messages {
		out[name] = slices.Sorted(maps.Keys(fields))
	}
	return out
}()

// path is where in a call a value is. It is only written out where there is a fault, as each call is checked.
type path struct {
	in   *path // nil: the call itself
	key  string
	item int // of a list, -1: not in one
}

func (p *path) String() string {
	text := p.key
	if p.in != nil {
		text = p.in.String() + "." + p.key
	}
	if p.item >= 0 {
		text += fmt.Sprintf("[%d]", p.item)
	}
	return text
}

// at is " at" the path; nothing for the call itself.
func (p *path) at() string {
	if p == nil {
		return ""
	}
	return " at " + p.String()
}

// checkMessage says what is wrong with the form of a message, as a JSON value. Mesos itself passes over members and
// enum names that it does not know; here they are refused, since a scheduler that sends one means something by it.
func checkMessage(name string, in *path, value any) error {
	if name == "Any" {
		return nil
	}
	members, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf("Expecting a JSON object%s", in.at()) //nolint:staticcheck // Mesos's words
	}
	fields := messages[name]
	for key := range members {
		if fields[key] == "" {
			return fmt.Errorf("%s has no field %q%s, which Mesos would pass over", name, key, in.at())
		}
	}
	for _, key := range fieldNames[name] {
		member, ok := members[key]
		if !ok {
			continue
		}
		if member == nil {
			delete(members, key) // as if it were not there
			continue
		}
		if err := checkField(strings.TrimPrefix(fields[key], "*"), &path{in, key, -1}, member); err != nil {
			return err
		}
	}
	for _, key := range fieldNames[name] {
		if _, ok := members[key]; !ok && strings.HasPrefix(fields[key], "*") {
			return fmt.Errorf("Missing required fields: %s", &path{in, key, -1}) //nolint:staticcheck // likewise
		}
	}
	return nil
}

func checkField(kind string, of *path, value any) error {
	if item, repeated := strings.CutPrefix(kind, "[]"); repeated {
		list, ok := value.([]any)
		if !ok {
			return fmt.Errorf("%s is %T, not a list", of, value)
		}
		for n, v := range list {
			if err := checkField(item, &path{of.in, of.key, n}, v); err != nil {
				return err
			}
		}
		return nil
	}
	text, isText := value.(string)
	number, isNumber := value.(float64)
	if isText && (kind == "int64" || kind == "uint32" || kind == "double") {
		n, err := strconv.ParseFloat(text, 64)
		number, isNumber = n, err == nil
	}
	ok := true
	switch kind {
	case "string":
		ok = isText
	case "bytes":
		_, err := base64.StdEncoding.DecodeString(text)
		if _, raw := base64.RawStdEncoding.DecodeString(text); isText && err != nil && raw != nil {
			return fmt.Errorf("Failed to base64 decode bytes field '%s'", of) //nolint:staticcheck // Mesos's words
		}
		ok = isText
	case "bool":
		_, ok = value.(bool)
	case "double":
		ok = isNumber
	case "uint32":
		ok = isNumber && number >= 0 && number <= math.MaxUint32
	case "int64":
		ok = isNumber
	default:
		if messages[kind] != nil || kind == "Any" {
			return checkMessage(kind, of, value)
		}
		ok = isText && isOneOf(kind, text)
	}
	if !ok {
		return fmt.Errorf("%s is %v, not %s", of, value, kind)
	}
	return nil
}

// isOneOf reports whether an enum, its names joined by "|", has a name.
func isOneOf(names, name string) bool {
	for other := range strings.SplitSeq(names, "|") {
		if other == name {
			return true
		}
	}
	return false
}
