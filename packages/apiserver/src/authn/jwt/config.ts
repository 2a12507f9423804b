/**
 * Who issues tokens that the server takes, and who may be nobody: `--authentication-config`.
 * Mirrors: apiserver pkg/apis/apiserver/{v1/types.go,validation/validation.go}
 */
import { X509Certificate } from "node:crypto"
import { aggregateMessage, field, isDomainPrefixedPath, type FieldError } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import { parseStrictConfig, type ConfigType } from "@knarr/client"
import { compileClaims, type ClaimsProgram, compileUser, usesClaim } from "./expressions.ts"

export interface PrefixedClaim {
  readonly claim?: string
  readonly prefix?: string
  readonly expression?: string
}

export interface JwtConfig {
  readonly issuer: {
    readonly url: string
    readonly discoveryURL?: string
    /** PEM; default: the machine's authorities. */
    readonly certificateAuthority?: string
    readonly audiences: readonly string[]
    readonly audienceMatchPolicy?: string
    readonly egressSelectorType?: string
  }
  readonly claimValidationRules?: readonly {
    readonly claim?: string
    readonly requiredValue?: string
    readonly expression?: string
    readonly message?: string
  }[]
  readonly claimMappings: {
    readonly username: PrefixedClaim
    readonly groups?: PrefixedClaim
    readonly uid?: { readonly claim?: string; readonly expression?: string }
    readonly extra?: readonly { readonly key: string; readonly valueExpression: string }[]
  }
  readonly userValidationRules?: readonly { readonly expression: string; readonly message?: string }[]
}

export interface AnonymousConfig {
  readonly enabled: boolean
  /** The only paths for which somebody may be nobody; all when there are none. */
  readonly conditions?: readonly { readonly path: string }[]
}

export interface AuthenticationConfig {
  readonly jwt?: readonly JwtConfig[]
  readonly anonymous?: AnonymousConfig
}

/** One issuer's, with its expressions compiled. */
export interface JwtRules {
  readonly config: JwtConfig
  readonly username: ClaimsProgram | undefined
  readonly groups: ClaimsProgram | undefined
  readonly uid: ClaimsProgram | undefined
  readonly extra: readonly (ClaimsProgram & { readonly key: string })[]
  readonly claimRules: readonly (ClaimsProgram & { readonly message: string })[]
  readonly userRules: readonly (ClaimsProgram & { readonly message: string })[]
}

const configType: ConfigType = {
  apiVersions: [
    "apiserver.config.k8s.io/v1",
    "apiserver.config.k8s.io/v1beta1",
    "apiserver.config.k8s.io/v1alpha1",
  ],
  kind: "AuthenticationConfiguration",
  packageName: "io.k8s.apiserver.pkg.apis.apiserver.v1.authentication",
  table: {
    AuthenticationConfiguration: {
      apiVersion: "string",
      kind: "string",
      jwt: "[]JWTAuthenticator",
      anonymous: "AnonymousAuthConfig",
    },
    AnonymousAuthConfig: { enabled: "boolean", conditions: "[]AnonymousAuthCondition" },
    AnonymousAuthCondition: { path: "string" },
    JWTAuthenticator: {
      issuer: "Issuer",
      claimValidationRules: "[]ClaimValidationRule",
      claimMappings: "ClaimMappings",
      userValidationRules: "[]UserValidationRule",
    },
    Issuer: {
      url: "string",
      discoveryURL: "string",
      certificateAuthority: "string",
      audiences: "[]string",
      audienceMatchPolicy: "string",
      egressSelectorType: "string",
    },
    ClaimValidationRule: {
      claim: "string",
      requiredValue: "string",
      expression: "string",
      message: "string",
    },
    ClaimMappings: {
      username: "PrefixedClaimOrExpression",
      groups: "PrefixedClaimOrExpression",
      uid: "ClaimOrExpression",
      extra: "[]ExtraMapping",
    },
    PrefixedClaimOrExpression: { claim: "string", prefix: "string", expression: "string" },
    ClaimOrExpression: { claim: "string", expression: "string" },
    ExtraMapping: { key: "string", valueExpression: "string" },
    UserValidationRule: { expression: "string", message: "string" },
  },
}

export interface ReadAuthentication {
  readonly rules: readonly JwtRules[]
  readonly anonymous: AnonymousConfig | undefined
}

/** Reads a configuration. Rejects in upstream's words. `ours`: issuers of this server, which no other may be. */
export async function parseAuthentication(
  text: string,
  ours: readonly string[],
): Promise<ReadAuthentication> {
  const config = await parseStrictConfig<AuthenticationConfig>(text, configType)
  return checkAuthentication(config, ours)
}

/** Throws for what is wrong with it. */
export function checkAuthentication(
  config: AuthenticationConfig,
  ours: readonly string[],
): ReadAuthentication {
  const errors: FieldError[] = []
  const rules: JwtRules[] = []
  const jwt = config.jwt ?? []
  if (jwt.length > 64) errors.push(field.tooMany("jwt", jwt.length, 64))
  const urls = new Set<string>()
  for (const [i, one] of jwt.entries()) {
    const path = field.index("jwt", i)
    const checked = checkJwt(one, path, ours, errors)
    if (checked) rules.push(checked)
    for (const [name, url] of [
      ["url", one.issuer?.url],
      ["discoveryURL", one.issuer?.discoveryURL],
    ] as const) {
      if (!url) continue
      if (urls.has(`${name} ${url}`)) errors.push(field.duplicate(`${path}.issuer.${name}`, url))
      urls.add(`${name} ${url}`)
    }
  }
  const { anonymous } = config
  if (anonymous && !anonymous.enabled && (anonymous.conditions?.length ?? 0) > 0)
    errors.push(
      field.invalid(
        "anonymous.conditions",
        anonymous.conditions,
        "enabled should be set to true when conditions are defined",
      ),
    )
  if (errors.length > 0) throw new Error(aggregateMessage(errors))
  return { rules, anonymous }
}

function checkJwt(
  config: JwtConfig,
  path: string,
  ours: readonly string[],
  errors: FieldError[],
): JwtRules | undefined {
  const before = errors.length
  checkIssuer(config.issuer ?? {}, `${path}.issuer`, ours, errors)
  const compiled = (compile: typeof compileClaims, text: string, at: string): ClaimsProgram | undefined => {
    const program = compile(text)
    if (!("problem" in program)) return program
    errors.push(field.invalid(at, text, program.problem))
    return undefined
  }
  const seen = new Set<string>()
  const isSecond = (key: string, at: string, value: string): boolean => {
    if (seen.has(key)) errors.push(field.duplicate(at, value))
    else {
      seen.add(key)
      return false
    }
    return true
  }

  const claimRules = (config.claimValidationRules ?? []).flatMap((rule, i) => {
    const at = field.index(`${path}.claimValidationRules`, i)
    const { claim = "", expression = "", message = "", requiredValue = "" } = rule
    if (claim !== "" && expression !== "")
      errors.push(field.invalid(at, claim, "claim and expression can't both be set"))
    else if (claim === "" && expression === "")
      errors.push(field.required(at, "claim or expression is required"))
    else if (claim !== "") {
      if (message !== "")
        errors.push(field.invalid(`${at}.message`, message, "may not be specified when claim is set"))
      isSecond(`claim ${claim}`, `${at}.claim`, claim)
    } else {
      if (requiredValue !== "")
        errors.push(
          field.invalid(`${at}.requiredValue`, requiredValue, "may not be specified when expression is set"),
        )
      if (isSecond(`rule ${expression}`, `${at}.expression`, expression)) return []
      const program = compiled((text) => compileClaims(text, true), expression, `${at}.expression`)
      return program ? [{ ...program, message }] : []
    }
    return []
  })

  const { username = {}, groups = {}, uid = {}, extra = [] } = config.claimMappings ?? {}
  const mapped = (one: PrefixedClaim, at: string, isRequired: boolean): ClaimsProgram | undefined => {
    const { claim = "", expression = "", prefix } = one
    if (expression !== "" && claim !== "")
      errors.push(field.invalid(at, "", "claim and expression can't both be set"))
    else if (expression === "" && claim === "") {
      if (isRequired) errors.push(field.required(at, "claim or expression is required"))
    } else if (expression !== "") {
      if (prefix !== undefined)
        errors.push(field.invalid(`${at}.prefix`, prefix, "may not be specified when expression is set"))
      return compiled(compileClaims, expression, `${at}.expression`)
    } else if (prefix === undefined)
      errors.push(
        field.required(
          `${at}.prefix`,
          "prefix is required when claim is set. It can be set to an empty string to disable prefixing",
        ),
      )
    return undefined
  }
  const mappings = `${path}.claimMappings`
  const usernameProgram = mapped(username, `${mappings}.username`, true)
  const groupsProgram = mapped(groups, `${mappings}.groups`, false)
  let uidProgram: ClaimsProgram | undefined
  if (uid.claim && uid.expression)
    errors.push(field.invalid(`${mappings}.uid`, "", "claim and expression can't both be set"))
  else if (uid.expression) uidProgram = compiled(compileClaims, uid.expression, `${mappings}.uid.expression`)
  const extraPrograms = extra.flatMap(({ key = "", valueExpression = "" }, i) => {
    const at = field.index(`${mappings}.extra`, i)
    errors.push(...isDomainPrefixedPath(`${at}.key`, key))
    if (key !== key.toLowerCase()) errors.push(field.invalid(`${at}.key`, key, "must be lowercase"))
    if (/^([^/]*\.)?(kubernetes|k8s)\.io\//.test(key))
      errors.push(
        field.invalid(
          `${at}.key`,
          key,
          "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use",
        ),
      )
    if (isSecond(`extra ${key}`, `${at}.key`, key)) return []
    if (valueExpression === "") {
      errors.push(field.required(`${at}.valueExpression`, ""))
      return []
    }
    const program = compiled(compileClaims, valueExpression, `${at}.valueExpression`)
    return program ? [{ ...program, key }] : []
  })
  const verified = [usernameProgram, ...extraPrograms, ...claimRules]
  if (
    usernameProgram &&
    usesClaim(usernameProgram, "email") &&
    !verified.some((program) => program && usesClaim(program, "email_verified"))
  )
    errors.push(
      field.invalid(
        `${mappings}.username.expression`,
        username.expression,
        "claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression",
      ),
    )

  const userRules = (config.userValidationRules ?? []).flatMap(({ expression = "", message = "" }, i) => {
    const at = `${field.index(`${path}.userValidationRules`, i)}.expression`
    if (expression === "") errors.push(field.required(at, ""))
    else if (!isSecond(`user ${expression}`, at, expression)) {
      const program = compiled(compileUser, expression, at)
      if (program) return [{ ...program, message }]
    }
    return []
  })
  if (errors.length > before) return undefined
  return {
    config,
    username: usernameProgram,
    groups: groupsProgram,
    uid: uidProgram,
    extra: extraPrograms,
    claimRules,
    userRules,
  }
}

function checkIssuer(
  issuer: Partial<JwtConfig["issuer"]>,
  path: string,
  ours: readonly string[],
  errors: FieldError[],
): void {
  const { url = "", discoveryURL = "", audiences = [], audienceMatchPolicy: policy = "" } = issuer
  if (url === "") errors.push(field.required(`${path}.url`, ""))
  else checkUrl(url, `${path}.url`, ours, errors)
  if (discoveryURL !== "") {
    const bare = (text: string): string => text.replace(/\/+$/, "")
    if (url !== "" && bare(url) === bare(discoveryURL))
      errors.push(
        field.invalid(`${path}.discoveryURL`, discoveryURL, "discoveryURL must be different from URL"),
      )
    checkUrl(discoveryURL, `${path}.discoveryURL`, [], errors)
  }
  const at = `${path}.audiences`
  if (audiences.length === 0) errors.push(field.required(at, `at least one ${at} is required`))
  for (const [i, audience] of audiences.entries()) {
    if (audience === "") errors.push(field.required(field.index(at, i), ""))
    if (audiences.indexOf(audience) < i) errors.push(field.duplicate(field.index(at, i), audience))
  }
  if (audiences.length > 1 && policy !== "MatchAny")
    errors.push(
      field.invalid(
        `${path}.audienceMatchPolicy`,
        policy,
        "audienceMatchPolicy must be MatchAny for multiple audiences",
      ),
    )
  if (audiences.length === 1 && policy !== "" && policy !== "MatchAny")
    errors.push(
      field.invalid(
        `${path}.audienceMatchPolicy`,
        policy,
        "audienceMatchPolicy must be empty or MatchAny for single audience",
      ),
    )
  if (issuer.certificateAuthority) {
    try {
      if (!/-----BEGIN CERTIFICATE-----/.test(issuer.certificateAuthority))
        throw new Error("data does not contain any valid RSA or ECDSA certificates")
      new X509Certificate(issuer.certificateAuthority)
    } catch (thrown) {
      errors.push(field.invalid(`${path}.certificateAuthority`, "<omitted>", messageOf(thrown)))
    }
  }
  if (issuer.egressSelectorType)
    errors.push(
      field.invalid(`${path}.egressSelectorType`, issuer.egressSelectorType, "no egress is configured"),
    )
}

function checkUrl(text: string, path: string, ours: readonly string[], errors: FieldError[]): void {
  if (ours.includes(text))
    errors.push(
      field.invalid(
        path,
        text,
        `URL must not overlap with disallowed issuers: [${[...ours].sort().join(" ")}]`,
      ),
    )
  let url: URL
  try {
    url = new URL(text)
  } catch {
    errors.push(field.invalid(path, text, `parse ${JSON.stringify(text)}: invalid URI for request`))
    return
  }
  if (url.protocol !== "https:") errors.push(field.invalid(path, text, "URL scheme must be https"))
  if (url.username !== "" || url.password !== "")
    errors.push(field.invalid(path, text, "URL must not contain a username or password"))
  if (url.search !== "") errors.push(field.invalid(path, text, "URL must not contain a query"))
  if (url.hash !== "") errors.push(field.invalid(path, text, "URL must not contain a fragment"))
}
