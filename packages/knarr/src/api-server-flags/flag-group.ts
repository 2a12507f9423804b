/**
 * The contract of the API server's flags: they have kube-apiserver's names, stand in groups, one file each, and become
 * options of the server. `knarr up` keeps what it is given with the cluster; `knarr server` takes them, too.
 */
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import type { ApiServerOptions } from "@knarr/apiserver"
import { parseGoDuration } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import { UsageError } from "../cluster-home.ts"

/**
 * What follows a flag. `file`: a path, relative to where the command was given; `certificate`: two of them with a comma
 * between, and maybe names after a colon; `switch`: nothing, or `=true` or `=false`.
 */
export type FlagType = "text" | "file" | "certificate" | "switch"

/** Given flags by name; a switch is "true" or "false". */
export type FlagValues = Readonly<Record<string, string>>

/** One topic's flags; a frozen value. */
export interface FlagGroup {
  readonly flags: Readonly<Record<string, FlagType>>
  /** The options that the flags stand for. Throws a UsageError. Does not look at files. */
  read(given: GivenFlags): Partial<ApiServerOptions>
}

/** Reads flags; each throws a UsageError for what it cannot read, and answers undefined for what is not given. */
export class GivenFlags {
  readonly #values: FlagValues

  constructor(values: FlagValues) {
    this.#values = values
  }

  text(name: string): string | undefined {
    return this.#values[name]
  }

  switch(name: string): boolean | undefined {
    const text = this.#values[name]
    return text === undefined ? undefined : text === "true"
  }

  /** A whole number. */
  integer(name: string): number | undefined {
    return this.#read(name, (text) => {
      if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(Number(text)))
        throw new Error("must be a whole number")
      return Number(text)
    })
  }

  number(name: string): number | undefined {
    return this.#read(name, (text) => {
      if (text.trim() === "" || !Number.isFinite(Number(text))) throw new Error("must be a number")
      return Number(text)
    })
  }

  /** `1m30s`, in milliseconds. */
  durationMs(name: string): number | undefined {
    return this.#read(name, parseGoDuration)
  }

  /** Texts with commas between them. */
  list(name: string): readonly string[] | undefined {
    const text = this.#values[name]
    return text?.split(",").filter((item) => item !== "")
  }

  /** What is in the file that the flag names. */
  content(name: string): Buffer | undefined {
    const file = this.#values[name]
    if (file === undefined) return undefined
    try {
      return readFileSync(file)
    } catch (thrown) {
      throw new UsageError(`--${name}: ${messageOf(thrown)}`)
    }
  }

  #read<T>(name: string, read: (text: string) => T): T | undefined {
    const text = this.#values[name]
    if (text === undefined) return undefined
    try {
      return read(text)
    } catch (thrown) {
      throw new UsageError(
        `invalid argument ${JSON.stringify(text)} for "--${name}" flag: ${messageOf(thrown)}`,
      )
    }
  }
}

/** The two paths of a certificate and its key, as {@link absolute}. */
export function absolutePair(text: string): string {
  const at = text.indexOf(":")
  const [files, names] = at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at)]
  const paths = files.split(",").map((path) => absolute(path.trim()))
  return paths.join(",") + names
}

/** A file's path as the server, which runs elsewhere, can read it. "-" is no file. */
export function absolute(path: string): string {
  return path === "" || path === "-" ? path : resolve(path)
}
