/** A member of an exported contract, and whether a doc comment says what it is. */
export interface Member {
  /** The interface, type, class or schema that it belongs to. */
  readonly of: string
  /** Its own name. */
  readonly name: string
  /** Whether a doc comment, or the description of a schema, says what it is. */
  readonly isDocumented: boolean
  /** Whether it may be absent although its doc comment does not say what that means. */
  readonly isSilentOnAbsence: boolean
}

/** A declaration that has members on lines of their own. */
interface Contract {
  readonly kind: "interface" | "type" | "class" | "schema"
  readonly name: string
  readonly implementsAny: boolean
  /** Its lines without the first and the last one. */
  readonly body: readonly string[]
}

const CONTRACT =
  /^export (?:abstract )?(?:(interface|type|class) (\w+).*[{=]|const (\w+) = Type\.(?:Object|Partial)\(\{?)$/
const MODIFIERS = /^(?:(?:readonly|static|async|abstract|get|set|protected|override) |\*)*/
const MEMBER = /^(?:"([^"]+)"|(\w+))\??(?:[:(<]| =)/
const ABSENCE = /\b(?:default|absent|undefined|none|without|optional|otherwise|unless|null|only if)\b/i
/** An object type on one line, as an arm of a union: `| { readonly type: "gap"; readonly gap: Gap }`. */
const ARM = /^\| \{ (?:readonly )?\w+\??: ([^;]+); .*\}$/
/** A comment counts if it has a word of three letters. */
const WORD = /[a-z]{3}/i
const OPTIONS = new Set(["additionalProperties", "title", "description"])

/**
 * The source in the layout of the formatter: a declaration begins and ends at the margin. If its head takes
 * several lines, its body begins with a bracket at the margin.
 */
function contractsOf(source: string): Contract[] {
  const lines = source
    .replace(/^(export (?:abstract )?(?:interface|class) [^{\n]*)((?:\n +[^\n]*)+?)\n?\{$/gm, "$1 {$2")
    .split("\n")
  return lines.flatMap((line, at) => {
    const [, kind, name, schema] = CONTRACT.exec(line) ?? []
    if (name === undefined && schema === undefined) return []
    const end = lines.findIndex((next, i) => i > at && /^\S/.test(next))
    return {
      kind: kind === "interface" || kind === "type" || kind === "class" ? kind : "schema",
      name: name ?? schema ?? "",
      implementsAny: line.includes(" implements "),
      body: lines.slice(at + 1, end === -1 ? lines.length : end),
    }
  })
}

const depthOf = (line: string): number => line.length - line.trimStart().length

/** Whether a line at this depth can begin a member, rather than the code or the parameters of one. */
function isMemberDepth({ kind }: Contract, depth: number, text: string): boolean {
  if (kind === "class") return depth === 2
  if (kind === "schema") return depth <= 4 && /^[\w"]+: /.test(text)
  if (kind === "type") return text.startsWith("readonly ") || ARM.test(text)
  return depth === 2 || text.startsWith("readonly ")
}

/**
 * Whether the schema of a property says what it is, itself or through another schema. It may take several
 * lines.
 */
function isDescribed(body: readonly string[], at: number): boolean {
  const end = body.findIndex((line, i) => i > at && depthOf(line) <= depthOf(body[at] ?? ""))
  const property = body.slice(at, end === -1 ? body.length : end).join("\n")
  return /\bdescription:|\bdescribed\(|\bwholeCount\(\s*"|\bOneOf\([^]*?\],\s*"|\bOrNull\([^]*,\s*"|\b(?:queryBoolean|percentage)\(\s*"|\bqueryInteger\(\s*[01],\s*"|\.properties\./.test(
    property,
  )
}

/** The doc comment that ends on the line before this one; empty if there is none. */
function docBefore(body: readonly string[], at: number): string {
  if (!(body[at - 1] ?? "").endsWith("*/")) return ""
  const start = body.findLastIndex((line, i) => i < at && line.trimStart().startsWith("/**"))
  return body.slice(start, at).join(" ")
}

/**
 * The public members of the exported interfaces, object types, classes and TypeBox schemas of a source file.
 * `promised` are names that interfaces document, so a class that implements one need not repeat it.
 */
export function membersOf(source: string, promised: ReadonlySet<string>): Member[] {
  return contractsOf(source).flatMap((contract) =>
    contract.body.flatMap((line, at) => {
      const text = line.trimStart()
      if (!isMemberDepth(contract, depthOf(line), text)) return []
      const [, quoted, plain] = MEMBER.exec(text.replace(MODIFIERS, "")) ?? []
      const name = quoted ?? plain ?? ARM.exec(text)?.[1]
      const isOption = contract.kind === "schema" && OPTIONS.has(name ?? "")
      if (
        name === undefined ||
        name === "constructor" ||
        isOption ||
        (contract.implementsAny && promised.has(name))
      )
        return []
      const doc = docBefore(contract.body, at)
      const isOverride = /^(?:static |async )*override /.test(text)
      const isDocumented =
        isOverride || WORD.test(doc) || (contract.kind === "schema" && isDescribed(contract.body, at))
      const isSilentOnAbsence = contract.kind === "interface" && /^[\w ]+\?:/.test(text) && !ABSENCE.test(doc)
      return { of: contract.name, name, isDocumented, isSilentOnAbsence }
    }),
  )
}

/** The names that the interfaces of a source file give to their members. */
export const promisedBy = (source: string): string[] =>
  contractsOf(source)
    .filter(({ kind }) => kind === "interface")
    .flatMap(({ body }) => body.flatMap((line) => MEMBER.exec(line.trim().replace(MODIFIERS, ""))?.[2] ?? []))

/** The files that export each name, read from the sources of files in the layout of the formatter. */
export function exportersOf(
  sources: readonly (readonly [file: string, source: string])[],
): Map<string, readonly string[]> {
  const exporters = new Map<string, readonly string[]>()
  for (const [file, source] of sources) {
    const found = source.matchAll(
      /^export (?:async |abstract )?(?:function\*?|class|const|interface|type) (\w+)/gm,
    )
    // A schema and its type have one name.
    for (const name of new Set([...found].map(([, one = ""]) => one)))
      exporters.set(name, [...(exporters.get(name) ?? []), file])
  }
  return exporters
}

/** The names that a source imports from files of ours; `*` for all, as of a file that is loaded at its first use. */
export const importsOf = (source: string): { readonly from: string; readonly name: string }[] =>
  [
    ...source.matchAll(
      /\b(?:import|export)\s+(?:type\s+)?(?:\{([^}]*)\}|\*[^"]*)\s*from\s*"(\.[^"]+)"|\bimport\(\s*"(\.[^"]+)"/g,
    ),
  ].flatMap(([, names = "*", given, late]) =>
    names.split(",").map((name) => ({
      from: given ?? late ?? "",
      name: name
        .trim()
        .replace(/^type /, "")
        .replace(/ as \w+$/, ""),
    })),
  )
