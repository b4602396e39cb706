# Turns the output of "go version -m -json" into a CycloneDX 1.5 list of what a binary is made of.
{
  bomFormat: "CycloneDX",
  specVersion: "1.5",
  version: 1,
  metadata: {component: {type: "application", name: "rollcall", version: $version, "bom-ref": "rollcall",
    licenses: [{license: {id: "Apache-2.0"}}]}},
  components: ([{Path: "std", Version: (.GoVersion | ltrimstr("go"))}] + .Deps
    | map((.Replace // .) | {type: "library", name: .Path, version: .Version, purl: "pkg:golang/\(.Path)@\(.Version)",
        "bom-ref": "pkg:golang/\(.Path)@\(.Version)"})),
  dependencies: [{ref: "rollcall", dependsOn: (([{Path: "std", Version: (.GoVersion | ltrimstr("go"))}] + .Deps)
    | map((.Replace // .) | "pkg:golang/\(.Path)@\(.Version)"))}]
}
