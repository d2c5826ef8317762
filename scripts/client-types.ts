/**
 * Prints the types of the client as one file that needs no other: `bun scripts/client-types.ts`. The build puts them
 * beside the page, as `client.d.ts`.
 */
import { dirname, join } from "node:path"

import { isolatedDeclarationSync } from "oxc-transform"

import { Busy, End, Gap, Live, QueueState, Shutdown } from "../src/wire/frames.ts"

const ROOT = join(import.meta.dir, "../src")

/** A schema as it is, without the types that TypeBox gives it. */
interface Schema {
  readonly description?: string
  readonly type?: string
  readonly const?: unknown
  readonly anyOf?: readonly Schema[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly patternProperties?: Readonly<Record<string, Schema>>
  readonly not?: unknown
}

/** What a schema describes, by the name of its type. */
const named: Record<string, unknown> = {}
for (const file of new Bun.Glob("{item,wire}/*.ts").scanSync(ROOT))
  Object.assign(named, await import(join(ROOT, file)))
// The type of what a stream says of itself is a union of several.
named["StreamControl"] = { anyOf: [Live, Gap, End, Shutdown, QueueState, Busy] }

/** The names that are printed, those that are needed by others behind them. */
const needed: string[] = []
const nameOf = new Map<unknown, string>()

function need(name: string): string {
  const schema = named[name]
  if (typeof schema !== "object" || schema === null) throw new Error(`there is no schema of ${name}`)
  if (!needed.includes(name)) needed.push(name)
  nameOf.set(schema, name)
  return name
}

const comment = (text: string | undefined, indent: string): string =>
  text === undefined ? "" : `${indent}/** ${text.replaceAll("*/", "* /")} */\n`

/** The type of an object, a line for each property. */
function objectType({ properties = {}, required = [] }: Schema, indent: string): string {
  const inner = `${indent}  `
  const lines = Object.entries(properties).map(([name, schema]) => {
    const mark = required.includes(name) ? "" : "?"
    return `${comment(schema.description, inner)}${inner}${name}${mark}: ${typeOf(schema, inner)}\n`
  })
  return `{\n${lines.join("")}${indent}}`
}

/** The type that a schema describes. */
function typeOf(schema: Schema, indent = "", isNamed = true): string {
  const name = nameOf.get(schema)
  if (isNamed && name !== undefined) return need(name)
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.anyOf) return [...new Set(schema.anyOf.map((one) => typeOf(one, indent)))].join(" | ")
  if (schema.not !== undefined) return "never"
  if (schema.patternProperties) {
    const [value = {}] = Object.values(schema.patternProperties)
    return `Record<string, ${typeOf(value, indent)}>`
  }
  if (schema.properties) return objectType(schema, indent)
  if (schema.items) {
    const item = typeOf(schema.items, indent)
    return item.includes(" | ") && !item.startsWith("{") ? `(${item})[]` : `${item}[]`
  }
  if (schema.type === "integer") return "number"
  return schema.type === "object" ? "Record<string, unknown>" : (schema.type ?? "unknown")
}

/** The declarations of one of the client's files. */
interface Declared {
  /** Each with its comment, by its name. */
  readonly statements: ReadonlyMap<string, string>
  /** Where the names that it imports come from. */
  readonly imports: ReadonlyMap<string, string>
  /** The names that it exports itself. */
  readonly exports: readonly string[]
}

const files = new Map<string, Declared>()

async function declared(file: string): Promise<Declared> {
  const { code, errors } = isolatedDeclarationSync(file, await Bun.file(file).text())
  if (errors.length > 0) throw new Error(`${file}: ${errors.map(({ message }) => message).join("; ")}`)
  const statements = new Map<string, string>()
  let about = ""
  for (const statement of code.split(/^(?=\/\*\*|export |interface |declare |type |import )/m)) {
    const [, name] =
      /^(?:export )?(?:declare )?(?:class|interface|type|function|const) (\w+)/.exec(statement) ?? []
    if (name !== undefined) statements.set(name, about + statement)
    about = statement.startsWith("/**") ? statement : ""
  }
  const imports = new Map<string, string>()
  for (const [, names = "", from = ""] of code.matchAll(/^import (?:type )?\{ ([^}]+) \} from "([^"]+)"/gm))
    for (const name of names.split(", ")) imports.set(name.replace(/^type /, ""), join(dirname(file), from))
  const exports = [...statements].flatMap(([name, text]) => (/^export /m.test(text) ? [name] : []))
  return { statements, imports, exports }
}

const printed = new Map<string, string>()

/** Prints the declaration of a name in a file, and those that it needs. */
async function keep(file: string, name: string): Promise<void> {
  if (!file.startsWith(join(ROOT, "client"))) return void need(name)
  const own = files.get(file) ?? (await declared(file))
  files.set(file, own)
  const statement = own.statements.get(name)
  const from = own.imports.get(name)
  if (statement === undefined) return from === undefined ? undefined : keep(from, name)
  if (printed.has(name)) return
  printed.set(name, statement)
  const words = new Set(statement.replace(/\/\*\*[\s\S]*?\*\//g, "").match(/\b[A-Z]\w+/g))
  for (const word of words) await keep(file, word)
}

const client = join(ROOT, "client/client.ts")
for (const name of (await declared(client)).exports) await keep(client, name)
// What it passes on from others.
for (const [, names = ""] of (await Bun.file(client).text()).matchAll(/^export (?:type )?\{([^}]+)\}/gm))
  for (const name of names.match(/\w+/g) ?? []) await keep(client, name)

// The list grows while it is printed.
const types: string[] = []
for (const name of needed) {
  const schema = named[name] as Schema
  types.push(`${comment(schema.description, "")}export type ${name} = ${typeOf(schema, "", false)}\n`)
}
process.stdout.write(
  `// The types of the client of a Track Studio server, beside client.js.\n\n${types.join("\n")}\n${[...printed.values()].join("\n")}`,
)
