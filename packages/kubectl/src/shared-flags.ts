/** Flags that several commands have in common. */
import { flag, type FlagSpec } from "./flags.ts"

export const selectorFlag: FlagSpec = flag.text("selector", {
  short: "l",
  help: "Selector (label query) to filter on, supports '=', '==', '!=', 'in', 'notin'.(e.g. -l key1=value1,key2=value2,key3 in (value3)). Matching objects must satisfy all of the specified label constraints.",
})

export const fieldSelectorFlag: FlagSpec = flag.text(
  "field-selector",
  "Selector (field query) to filter on, supports '=', '==', and '!='.(e.g. --field-selector key1=value1,key2=value2). The server only supports a limited number of field queries per type.",
)

export const allNamespacesFlag: FlagSpec = flag.bool("all-namespaces", {
  short: "A",
  help: "If present, list the requested object(s) across all namespaces. Namespace in current context is ignored even if specified with --namespace.",
})

export const allFlag: FlagSpec = flag.bool(
  "all",
  "Select all resources in the namespace of the specified resource types",
)

export const chunkSizeFlag: FlagSpec = flag.int("chunk-size", {
  default: "500",
  help: "Return large lists in chunks rather than all at once. Pass 0 to disable.",
})

export const localFlag: FlagSpec = flag.bool(
  "local",
  "If true, the command will NOT contact api-server but run locally.",
)

export const dryRunFlag: FlagSpec = flag.text("dry-run", {
  default: "none",
  bare: "unchanged",
  help: 'Must be "none", "server", or "client". If client strategy, only print the object that would be sent, without sending it. If server strategy, submit server-side request without persisting the resource.',
})

export const validateFlag: FlagSpec = flag.text("validate", {
  default: "strict",
  bare: "strict",
  help: 'Must be one of: strict (or true), warn, ignore (or false). "true" or "strict" will use a schema to validate the input and fail the request if invalid.',
})

export const fileFlags: readonly FlagSpec[] = [
  flag.csv("filename", {
    short: "f",
    help: "Filename, directory, or URL to files identifying the resource",
  }),
  flag.text("kustomize", {
    short: "k",
    help: "Process the kustomization directory. This flag can't be used together with -f or -R.",
  }),
  flag.bool("recursive", {
    short: "R",
    help: "Process the directory used in -f, --filename recursively. Useful when you want to manage related manifests organized within the same directory.",
  }),
]

export const printFlags: readonly FlagSpec[] = [
  flag.bool("allow-missing-template-keys", {
    default: "true",
    help: "If true, ignore any errors in templates when a field or map key is missing in the template. Only applies to golang and jsonpath output formats.",
  }),
  flag.text("output", {
    short: "o",
    help: "Output format. One of: (json, yaml, kyaml, name, go-template, go-template-file, template, templatefile, jsonpath, jsonpath-as-json, jsonpath-file).",
  }),
  flag.bool(
    "show-managed-fields",
    "If true, keep the managedFields when printing objects in JSON or YAML format.",
  ),
  flag.text(
    "template",
    "Template string or path to template file to use when -o=go-template, -o=go-template-file. The template format is golang templates [http://golang.org/pkg/text/template/#pkg-overview].",
  ),
]

/** `--field-manager`, with the command's own default. */
export function fieldManagerFlag(manager: string): FlagSpec {
  return flag.text("field-manager", {
    default: manager,
    help: "Name of the manager used to track field ownership.",
  })
}
