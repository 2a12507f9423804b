/**
 * Quantities, URLs and named formats.
 * Mirrors: apiserver pkg/cel/library/quantity.go, urls.go, format.go
 */
import {
  Quantity,
  isQualifiedName,
  isValidLabelValue,
  nameIsDNS1035Label,
  nameIsDNSLabel,
  nameIsDNSSubdomain,
  parseQuantity,
} from "@knarr/apimachinery"
import { structOf, type CelType } from "../check/types.ts"
import type { Implementation } from "../run/functions.ts"
import { parseTimestamp } from "../run/time.ts"
import {
  ArrayList,
  CelError,
  Double,
  EntriesMap,
  ObjectValue,
  Optional,
  maybeNoSuchOverload,
  none,
  toInt,
  type Value,
} from "../run/values.ts"
import { escapedPath, hostname, parseURL, port, queryOf, urlText, type ParsedURL } from "./url-parse.ts"

export const quantityType: CelType = structOf("kubernetes.Quantity")
export const urlType: CelType = structOf("kubernetes.URL")
export const formatType: CelType = structOf("kubernetes.NamedFormat")

class QuantityValue extends ObjectValue {
  readonly type = quantityType
  readonly quantity: Quantity
  constructor(quantity: Quantity) {
    super()
    this.quantity = quantity
  }
  equalTo(other: Value): Value {
    return other instanceof QuantityValue ? this.quantity.equals(other.quantity) : maybeNoSuchOverload(other)
  }
}

class URLValue extends ObjectValue {
  readonly type = urlType
  readonly url: ParsedURL
  constructor(url: ParsedURL) {
    super()
    this.url = url
  }
  equalTo(other: Value): Value {
    return other instanceof URLValue ? urlText(this.url) === urlText(other.url) : maybeNoSuchOverload(other)
  }
}

class NamedFormat extends ObjectValue {
  readonly type = formatType
  readonly name: string
  readonly maxRegexSize: number
  readonly validate: (text: string) => string[]
  constructor(name: string, maxRegexSize: number, validate: (text: string) => string[]) {
    super()
    this.name = name
    this.maxRegexSize = maxRegexSize
    this.validate = validate
  }
  equalTo(other: Value): Value {
    return other instanceof NamedFormat ? this.name === other.name : maybeNoSuchOverload(other)
  }
}

function readQuantity(text: Value): Value {
  try {
    return new QuantityValue(parseQuantity(text as string))
  } catch (error) {
    return new CelError((error as Error).message)
  }
}

/** The whole amount, undefined when it has a fraction or more than 64 bits. */
function wholeAmount(quantity: Quantity): number | bigint | undefined {
  const value = quantity.scaledValue(0)
  return Quantity.of(value).equals(quantity) ? toInt(BigInt(value)) : undefined
}

const onQuantity =
  (run: (quantity: Quantity) => Value): Implementation =>
  (value) =>
    value instanceof QuantityValue ? run(value.quantity) : maybeNoSuchOverload(value!)
const onQuantities =
  (run: (a: Quantity, b: Quantity) => Value): Implementation =>
  (a, b) =>
    a instanceof QuantityValue && b instanceof QuantityValue
      ? run(a.quantity, b.quantity)
      : maybeNoSuchOverload(a!)
const withInt =
  (run: (a: Quantity, b: Quantity) => Quantity): Implementation =>
  (a, b) =>
    a instanceof QuantityValue
      ? new QuantityValue(run(a.quantity, Quantity.of(BigInt(b as number), "DecimalExponent")))
      : maybeNoSuchOverload(a!)

function readURL(text: Value): Value {
  const failed = (message: string): CelError =>
    new CelError(`URL parse error during conversion from string: ${message}`)
  const request = parseURL(text as string, true)
  if (typeof request === "string") return failed(request)
  const url = parseURL(text as string, false)
  return typeof url === "string" ? failed(url) : new URLValue(url)
}

const onURL =
  (run: (url: ParsedURL) => Value): Implementation =>
  (value) =>
    value instanceof URLValue ? run(value.url) : maybeNoSuchOverload(value!)

const query = (url: ParsedURL): Value =>
  new EntriesMap(
    new Map(Array.from(queryOf(url), ([name, values]) => [name, [name, new ArrayList(values)] as const])),
  )

const complaint = (holds: boolean, message: string): string[] => (holds ? [] : [message])
const uuid = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const dateTimeRegexSize = 71

const formats: ReadonlyMap<string, NamedFormat> = new Map(
  [
    ["dns1123Label", "DNS1123Label", 30, (text: string) => nameIsDNSLabel(text, false)],
    ["dns1123Subdomain", "DNS1123Subdomain", 60, (text: string) => nameIsDNSSubdomain(text, false)],
    ["dns1035Label", "DNS1035Label", 30, (text: string) => nameIsDNS1035Label(text, false)],
    ["qualifiedName", "QualifiedName", 60, isQualifiedName],
    ["dns1123LabelPrefix", "DNS1123LabelPrefix", 30, (text: string) => nameIsDNSLabel(text, true)],
    [
      "dns1123SubdomainPrefix",
      "DNS1123SubdomainPrefix",
      60,
      (text: string) => nameIsDNSSubdomain(text, true),
    ],
    ["dns1035LabelPrefix", "DNS1035LabelPrefix", 30, (text: string) => nameIsDNS1035Label(text, true)],
    ["labelValue", "LabelValue", 40, isValidLabelValue],
    [
      "uri",
      "URI",
      1103,
      (text: string) => {
        const url = parseURL(text, true)
        return typeof url === "string" ? [url] : []
      },
    ],
    ["uuid", "uuid", 70, (text: string) => complaint(uuid.test(text), "does not match the UUID format")],
    ["byte", "byte", 84, (text: string) => complaint(text !== "" && base64.test(text), "invalid base64")],
    [
      "date",
      "date",
      dateTimeRegexSize,
      (text: string) => complaint(parseTimestamp(`${text}T00:00:00Z`) !== undefined, "invalid date"),
    ],
    [
      "datetime",
      "datetime",
      dateTimeRegexSize,
      (text: string) => complaint(parseTimestamp(text.toUpperCase()) !== undefined, "invalid datetime"),
    ],
  ].map(([name, label, size, validate]) => [
    name as string,
    new NamedFormat(label as string, size as number, validate as (text: string) => string[]),
  ]),
)

const validate: Implementation = (format, text) => {
  if (!(format instanceof NamedFormat)) return maybeNoSuchOverload(format!)
  const problems = format.validate(text as string)
  return problems.length === 0 ? none : new Optional(new ArrayList(problems))
}

/** By overload. */
export const kubernetesOverloads: readonly (readonly [string, Implementation])[] = [
  ["string_to_quantity", (text) => readQuantity(text!)],
  ["is_quantity_string", (text) => !(readQuantity(text!) instanceof CelError)],
  ["quantity_sign", onQuantity((quantity) => quantity.sign())],
  ["quantity_is_greater_than", onQuantities((a, b) => a.compare(b) > 0)],
  ["quantity_is_less_than", onQuantities((a, b) => a.compare(b) < 0)],
  ["quantity_compare_to", onQuantities((a, b) => Math.sign(a.compare(b)))],
  ["quantity_get_float", onQuantity((quantity) => new Double(quantity.asNumber()))],
  [
    "quantity_get_int",
    onQuantity((quantity) => wholeAmount(quantity) ?? new CelError("cannot convert value to integer")),
  ],
  ["quantity_is_integer", onQuantity((quantity) => wholeAmount(quantity) !== undefined)],
  ["quantity_add", onQuantities((a, b) => new QuantityValue(a.add(b)))],
  ["quantity_add_int", withInt((a, b) => a.add(b))],
  ["quantity_sub", onQuantities((a, b) => new QuantityValue(a.sub(b)))],
  ["quantity_sub_int", withInt((a, b) => a.sub(b))],
  ["string_to_url", (text) => readURL(text!)],
  ["is_url_string", (text) => typeof parseURL(text as string, true) !== "string"],
  ["url_get_scheme", onURL((url) => url.scheme)],
  ["url_get_host", onURL((url) => url.host)],
  ["url_get_hostname", onURL(hostname)],
  ["url_get_port", onURL(port)],
  ["url_get_escaped_path", onURL(escapedPath)],
  ["url_get_query", onURL(query)],
  ...Array.from(formats, ([name, format]): [string, Implementation] => [`format.${name}`, () => format]),
  [
    "format-named",
    (name) => {
      const format = formats.get(name as string)
      return format === undefined ? none : new Optional(format)
    },
  ],
  ["format-validate", validate],
]
