package api

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"

	"rollcall/scheduler"
)

// named is a JSON object by the names of its members, with a value of the type of each: what handlers write as a map.
type named map[string]any

// schemas are the schemas of types with a name, as they are found.
type schemas map[string]any

// written are types that write their own JSON.
var written = map[reflect.Type]map[string]any{
	reflect.TypeFor[scheduler.ServicePort](): {"type": "integer", "nullable": true},
	reflect.TypeFor[scheduler.Timestamp]():   {"type": "string", "format": "date-time"},
	reflect.TypeFor[scheduler.Constraint](): {"type": "array", "minItems": 2, "maxItems": 3,
		"items": map[string]string{"type": "string"}},
	reflect.TypeFor[scheduler.EnvValue](): {"oneOf": []any{
		map[string]any{"type": "string"},
		map[string]any{"type": "object", "properties": map[string]any{"secret": map[string]string{"type": "string"}}}}},
	reflect.TypeFor[scheduler.UnreachableStrategy](): {"oneOf": []any{
		map[string]any{"type": "string", "enum": []string{"disabled"}},
		map[string]any{"type": "object", "properties": map[string]any{
			"inactiveAfterSeconds": map[string]string{"type": "integer"}, "expungeAfterSeconds": map[string]string{"type": "integer"}}}}},
	reflect.TypeFor[netip.Addr]():      {"type": "string"},
	reflect.TypeFor[json.RawMessage](): {"type": "object"},
}

// of is the schema of a value's type.
func (s schemas) of(v any) map[string]any {
	members, ok := v.(named)
	if !ok {
		return s.schema(reflect.TypeOf(v))
	}
	properties := map[string]any{}
	for name, value := range members {
		properties[name] = s.of(value)
	}
	return map[string]any{"type": "object", "properties": properties}
}

func (s schemas) schema(t reflect.Type) map[string]any {
	if schema, ok := written[t]; ok {
		return schema
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.schema(t.Elem())
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.schema(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.schema(t.Elem())}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint16, reflect.Uint64:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Struct:
		return s.object(t)
	}
	return map[string]any{} // any
}

// object is the schema of a struct, by reference where it has a name.
func (s schemas) object(t reflect.Type) map[string]any {
	if name := t.Name(); name != "" {
		name = strings.ToUpper(name[:1]) + name[1:]
		reference := map[string]any{"$ref": "#/components/schemas/" + name}
		if s[name] != nil {
			return reference
		}
		properties := map[string]any{}
		s[name] = map[string]any{"type": "object", "properties": properties}
		s.properties(t, properties)
		return reference
	}
	properties := map[string]any{}
	s.properties(t, properties)
	return map[string]any{"type": "object", "properties": properties}
}

func (s schemas) properties(t reflect.Type, out map[string]any) {
	for _, f := range reflect.VisibleFields(t) {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && tag == "", !f.IsExported(), tag == "-": // the members of embedded structs come by themselves
		case len(f.Index) > 1 && !embeddedOnly(t, f.Index):
		case tag != "":
			out[tag] = s.schema(f.Type)
		}
	}
}

// embeddedOnly says whether a field is reached through structs that have no name of their own in JSON.
func embeddedOnly(t reflect.Type, index []int) bool {
	for n := 1; n < len(index); n++ {
		if tag, _, _ := strings.Cut(t.FieldByIndex(index[:n]).Tag.Get("json"), ","); tag != "" {
			return false
		}
	}
	return true
}
