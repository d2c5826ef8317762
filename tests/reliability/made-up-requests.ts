/** A JSON Schema, as far as the API's description uses it. */
export interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly minimum?: number
  readonly maximum?: number
  readonly maxLength?: number
  readonly maxItems?: number
}

/** One way to call the API, as it is described. */
export interface Operation {
  readonly parameters?: readonly { readonly in: string; readonly name: string; readonly schema: Schema }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >
}

/** The API's own description. */
export interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

/** A random request. */
export interface MadeUp {
  readonly method: string
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: string | undefined
  readonly operation: Operation
}

/** The values that some keys always get. */
const SAFE: Readonly<Record<string, number>> = { wait: 0, lease: 3600 }

/** Values that nobody would send who has read the description. */
const ODD: readonly unknown[] = [
  null,
  "",
  -1,
  0,
  1.5,
  1e308,
  2 ** 53,
  true,
  [],
  {},
  [[[]]],
  "\u0000",
  "\ud800",
  "%00",
  "../../etc/passwd",
  "'; DROP TABLE updates; --",
  "x".repeat(70_000),
  "\u202e\u0007",
  "9".repeat(40),
  { a: { b: { c: [null] } } },
]

/**
 * Makes random requests from the API's description: mostly as described, some with odd values. `random`
 * returns 0 to below 1.
 */
export class Requests {
  readonly #description: Description
  readonly #random: () => number
  readonly #operations: readonly (readonly [string, string, Operation])[]
  /** IDs that exist, or have existed. */
  readonly ids: number[] = []
  /** Lease tokens that were given out. */
  readonly leases: string[] = []

  constructor(description: Description, random: () => number) {
    this.#description = description
    this.#random = random
    this.#operations = Object.entries(description.paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => [path, method, operation] as const),
    )
  }

  /** The next request. */
  next(): MadeUp {
    const [described, method, operation] = this.#one(this.#operations)
    const query = new URLSearchParams()
    const headers: Record<string, string> = {}
    let path = described
    for (const parameter of operation.parameters ?? []) {
      // A waiting request would hold the others up.
      if (parameter.name === "wait" || parameter.name === "follow") continue
      const value = this.#parameter(parameter.name, parameter.schema)
      if (parameter.in === "path")
        path = path.replace(`{${parameter.name}}`, encodeURIComponent(value || "-"))
      else if (this.#below(2) === 0) {
        if (parameter.in === "query") query.append(parameter.name, value)
        else if (/^[\x20-\x7e]*$/.test(value)) headers[parameter.name] = value
      }
    }
    if (this.#below(40) === 0) query.append("odd", "1")
    const [type, content] = this.#one(Object.entries(operation.requestBody?.content ?? { "": undefined }))
    if (type !== "") headers["content-type"] = this.#below(30) === 0 ? "application/xml" : type
    const body = content === undefined ? undefined : this.#body(type, content.schema)
    return {
      method: method.toUpperCase(),
      path: query.size > 0 ? `${path}?${query}` : path,
      headers,
      body,
      operation,
    }
  }

  #body(type: string, schema: Schema): string {
    if (type === "text/plain")
      return `frame=${this.#below(500)}\nout_time_ms=${this.#below(1e9)}\nprogress=end\n`
    const made = JSON.stringify(this.#value(schema)) ?? ""
    // Some requests break off.
    return this.#below(30) === 0 ? made.slice(0, this.#below(made.length + 1)) : made
  }

  #parameter(name: string, schema: Schema): string {
    if ((name === "id" || name === "ids") && this.ids.length > 0 && this.#below(10) > 0)
      return String(this.#one(this.ids))
    if (name.toLowerCase() === "lease" && this.leases.length > 0) return this.#one(this.leases)
    const value = this.#value(schema)
    return typeof value === "string"
      ? value.toWellFormed().slice(0, 200)
      : String(JSON.stringify(value)).slice(0, 200)
  }

  /** A value that fits the schema; one in 25 is odd. */
  #value(given: Schema): unknown {
    if (this.#below(25) === 0) return this.#one(ODD)
    const schema = this.#resolved(given)
    if (schema.const !== undefined) return schema.const
    if (schema.enum) return this.#one(schema.enum)
    const choice = schema.anyOf ?? schema.oneOf
    if (choice) return this.#value(this.#one(choice))
    if (schema.allOf) return Object.assign({}, ...schema.allOf.map((one) => this.#value(one))) as object
    const type = typeof schema.type === "string" ? schema.type : schema.type?.[0]
    if (type === "object" || schema.properties) return this.#object(schema)
    if (type === "array") return Array.from({ length: this.#below(4) }, () => this.#value(schema.items ?? {}))
    if (type === "integer") return Math.round(this.#number(schema))
    if (type === "number") return this.#number(schema)
    if (type === "boolean") return this.#below(2) === 0
    if (type === "null") return null
    return this.#text(schema)
  }

  #object({ properties = {}, required = [] }: Schema): object {
    const wanted = Object.entries(properties).filter(
      ([key]) => required.includes(key) || key in SAFE || this.#below(3) === 0,
    )
    // A waiting claim would hold the test up, and a lease that runs out would change the history in between.
    return Object.fromEntries(
      wanted.map(([key, schema]) => [key, SAFE[key] ?? (key === "id" ? this.#id() : this.#value(schema))]),
    )
  }

  #id(): number {
    return this.ids.length > 0 ? this.#one(this.ids) : 1
  }

  #number({ minimum = 0, maximum = minimum + 200 }: Schema): number {
    return minimum + this.#random() * (Math.min(maximum, minimum + 1000) - minimum)
  }

  #text({ maxLength = 12 }: Schema): string {
    const length = this.#below(Math.min(maxLength, 12) + 1)
    return Array.from({ length }, () => String.fromCodePoint(this.#one([97, 49, 32, 45, 228, 0x1f3b5]))).join(
      "",
    )
  }

  #resolved(schema: Schema): Schema {
    const name = schema.$ref?.split("/").at(-1)
    return name === undefined ? schema : (this.#description.components.schemas[name] ?? {})
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  #one<T>(all: readonly T[]): T {
    const found = all[this.#below(all.length)]
    if (found === undefined) throw new Error("nothing to choose from")
    return found
  }
}
