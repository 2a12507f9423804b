/** YAML in and out. The parser's library is big and most processes never need it: it is loaded on first use. */

import type { YamlOptions } from "./yaml-parse.ts"

/** Parses YAML by the rules of sigs.k8s.io/yaml: `yes` and `on` are booleans, keys become text. */
export interface YamlParser {
  /** The first document; null when the text is empty. Throws an Error in go-yaml's words: `yaml: line 2: …`. */
  parse(text: string, options?: YamlOptions): unknown
  /** Every document that is not empty. */
  parseAll(text: string, options?: YamlOptions): unknown[]
}

let loaded: Promise<YamlParser> | undefined

/** The YAML parser. JSON is YAML, too. */
export function loadYaml(): Promise<YamlParser> {
  return (loaded ??= import("./yaml-parse.ts").then(({ parseYamlText }) => ({
    parse: (text, options = {}) => parseYamlText(splitYamlDocuments(text)[0] ?? "", options),
    parseAll: (text, options = {}) =>
      splitYamlDocuments(text)
        .map((part) => parseYamlText(part, options))
        .filter((value) => value !== null),
  })))
}

/** The documents of a text, separated by lines of `---`, without those that are blank. */
export function splitYamlDocuments(text: string): string[] {
  const out: string[] = []
  let lines: string[] = []
  const end = (): void => {
    if (lines.some((line) => /^\s*[^\s#]/.test(line))) out.push(lines.join("\n"))
    lines = []
  }
  for (const line of text.replaceAll("\r\n", "\n").split("\n")) {
    if (/^---\s*(?:#.*)?$/.test(line)) end()
    else lines.push(line)
  }
  end()
  return out
}
