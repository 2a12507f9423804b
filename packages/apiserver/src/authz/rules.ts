/**
 * What a policy rule allows, and how rules are told of.
 * Mirrors: component-helpers auth/rbac/validation, plugin/pkg/auth/authorizer/rbac
 */
import type { PolicyRule } from "@knarr/api"
import { trimEndOf } from "@knarr/base"
import type { AuthorizationAttributes } from "../contract.ts"

type List = readonly string[] | undefined

const has = (list: List, value: string): boolean => list !== undefined && list.includes(value)

/** Whether one rule allows what is asked. */
export function ruleAllows(rule: PolicyRule, asked: AuthorizationAttributes): boolean {
  if (!has(rule.verbs, "*") && !has(rule.verbs, asked.verb)) return false
  if (!asked.isResourceRequest) return urlMatches(rule.nonResourceURLs, asked.path)
  if (!has(rule.apiGroups, "*") && !has(rule.apiGroups, asked.apiGroup)) return false
  if (!resourceMatches(rule.resources, asked.resource, asked.subresource)) return false
  const names = rule.resourceNames
  return !names || names.length === 0 || names.includes(asked.name)
}

function resourceMatches(list: List, resource: string, subresource: string): boolean {
  if (!list) return false
  for (const entry of list) {
    if (entry === "*") return true
    if (subresource === "") {
      if (entry === resource) return true
    } else if (
      entry.length > subresource.length &&
      entry.endsWith(subresource) &&
      entry.charCodeAt(entry.length - subresource.length - 1) === 47
    ) {
      const head = entry.slice(0, entry.length - subresource.length - 1)
      if (head === "*" || head === resource) return true
    }
  }
  return false
}

function urlMatches(list: List, path: string): boolean {
  if (!list) return false
  for (const entry of list) {
    if (entry === "*" || entry === path) return true
    if (entry.endsWith("*") && path.startsWith(trimEndOf(entry, "*"))) return true
  }
  return false
}

/** Rules on the same thing become one with all their verbs, where that loses nothing. */
export function compactRules(rules: readonly PolicyRule[]): PolicyRule[] {
  const out: PolicyRule[] = []
  const simple = new Map<string, PolicyRule>()
  for (const rule of rules) {
    const oneThing =
      rule.apiGroups?.length === 1 && rule.resources?.length === 1 && (rule.resourceNames?.length ?? 0) <= 1
    if (!oneThing || (rule.nonResourceURLs?.length ?? 0) > 0) {
      out.push(rule)
      continue
    }
    const key = JSON.stringify([rule.apiGroups![0], rule.resources![0], rule.resourceNames?.[0] ?? null])
    const seen = simple.get(key)
    if (seen) seen.verbs = [...seen.verbs, ...rule.verbs]
    else {
      const copy = { ...rule, verbs: [...rule.verbs] }
      simple.set(key, copy)
      out.push(copy)
    }
  }
  return out
}

/** A rule as `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`. */
export function ruleText(rule: PolicyRule): string {
  const parts: string[] = []
  const add = (name: string, values: List): void => {
    if (values && values.length > 0)
      parts.push(`${name}:[${values.map((value) => JSON.stringify(value)).join(" ")}]`)
  }
  add("APIGroups", rule.apiGroups)
  add("Resources", rule.resources)
  add("NonResourceURLs", rule.nonResourceURLs)
  add("ResourceNames", rule.resourceNames)
  add("Verbs", rule.verbs)
  return `{${parts.join(", ")}}`
}
