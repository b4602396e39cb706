package api

import "maps"

// mergePatchType is the media type of JSON merge patches (RFC 7396).
const mergePatchType = "application/merge-patch+json"

// mergePatch applies a merge patch to a document: objects are merged member by member at any depth, null removes a
// member, anything else replaces what was there. Neither argument is changed.
func mergePatch(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	before, _ := target.(map[string]any)
	out := make(map[string]any, len(before)+len(changes))
	maps.Copy(out, before)
	for name, change := range changes {
		if change == nil {
			delete(out, name)
		} else {
			out[name] = mergePatch(out[name], change)
		}
	}
	return out
}
