/**
 * Reads files that configure a component: a YAML or JSON document of a known kind. What is wrong with it is an error, except
 * where upstream only warns. Mirrors: apimachinery pkg/runtime/serializer strict decoding
 */
import { readFile } from "node:fs/promises"
import {
  DecodeError,
  decodeObject,
  defineSchemas,
  loadYaml,
  schemaOf,
  strictErrorMessage,
  type SchemaTable,
} from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"

/** A kind of configuration; its shape is a table as those of the API are. */
export interface ConfigType {
  readonly apiVersions: readonly string[]
  readonly kind: string
  /** The name that the table's definitions begin with. */
  readonly packageName: string
  readonly table: SchemaTable
}

export interface ReadConfig<T> {
  readonly config: T
  /** Fields that are not known or come twice, in upstream's words. */
  readonly strictErrors: readonly string[]
}

/** What is wrong with a file that a component was told to read at its start. */
export class ConfigFileError extends Error {
  readonly file: string

  constructor(file: string, cause: unknown) {
    const message = messageOf(cause)
    super(message.includes(file) ? message : `${file}: ${message}`, { cause })
    this.name = "ConfigFileError"
    this.file = file
  }
}

/** Rejects with a {@link ConfigFileError} when what makes use of the file does. */
export async function usingConfigFile<T>(file: string | undefined, use: Promise<T>): Promise<T> {
  try {
    return await use
  } catch (thrown) {
    throw file === undefined || thrown instanceof ConfigFileError ? thrown : new ConfigFileError(file, thrown)
  }
}

/** Reads a file. Rejects when there is none. */
export async function readConfigText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8")
  } catch (thrown) {
    throw new Error(`failed to read file path ${JSON.stringify(path)}: ${messageOf(thrown)}`, {
      cause: thrown,
    })
  }
}

/** The document in `text`. Rejects with an Error when it is none of this kind. */
export async function parseConfig<T extends object>(text: string, type: ConfigType): Promise<ReadConfig<T>> {
  const duplicates: string[] = []
  const yaml = await loadYaml()
  const { config, strictErrors } = decoded<T>(yaml.parse(text, { duplicates }), type)
  return { config, strictErrors: [...duplicates, ...strictErrors] }
}

/** The document that a parsed value is. Throws an Error when it is none of this kind, or has what is not known. */
export function decodeConfig<T extends object>(value: unknown, type: ConfigType): T {
  const { config, strictErrors } = decoded<T>(value, type)
  if (strictErrors.length > 0) throw new Error(strictErrorMessage(strictErrors))
  return config
}

function decoded<T extends object>(value: unknown, type: ConfigType): ReadConfig<T> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error("couldn't get version/kind; json parse error: the document is no object")
  const { apiVersion = "", kind = "" } = value as { apiVersion?: string; kind?: string }
  if (kind === "") throw new Error(`Object 'Kind' is missing in ${JSON.stringify(value)}`)
  if (!type.apiVersions.includes(apiVersion) || kind !== type.kind)
    throw new Error(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`)
  defineSchemas(type.packageName, type.table)
  try {
    const schema = schemaOf(`${type.packageName}.${type.kind}`)
    const { object, strictErrors } = decodeObject<T>(schema, value, { strict: true })
    return { config: object, strictErrors }
  } catch (thrown) {
    if (thrown instanceof DecodeError) throw new Error(thrown.message, { cause: thrown })
    throw thrown
  }
}
/** As {@link parseConfig}, and what is not known is wrong. */
export async function parseStrictConfig<T extends object>(text: string, type: ConfigType): Promise<T> {
  const { config, strictErrors } = await parseConfig<T>(text, type)
  if (strictErrors.length > 0) throw new Error(strictErrorMessage(strictErrors))
  return config
}
