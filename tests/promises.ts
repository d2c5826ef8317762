/** The code with spaces for its comments, and without texts: each has the length and the line breaks that it had. */
const plain = (source: string): string =>
  source.replace(/\/\*[^]*?\*\/|\/\/.*$|`(?:\\.|[^`\\])*`|"(?:\\.|[^"\\\n])*"/gm, (found) =>
    found.replace(/[^\n]/g, found.startsWith("/") ? " " : "_"),
  )

/** Parameters, which may have brackets in them, and what stands between them and the result. */
const TAKING = String.raw`\??(?:<[^\n]*?>)?\([^()]*(?:\([^()]*(?:\([^()]*\)[^()]*)*\)[^()]*)*\)`
/** Functions, methods and members of contracts, each with the beginning of what it returns. */
const DECLARED = [
  new RegExp(
    String.raw`^ *(?:export |override |static |abstract |get )*(async )?(?:function )?(#?\w+)${TAKING}: (\w*)`,
    "gm",
  ),
  new RegExp(
    String.raw`^ *(?:export )?const ()(\w+) = (?:async )?(?:<[^\n]*?>)?${TAKING.slice(3)}: (\w*)`,
    "gm",
  ),
  new RegExp(String.raw`\b(?:readonly|override) ()(\w+)\??: (?:<[^\n]*?>)?${TAKING.slice(3)} => (\w*)`, "gm"),
]

/** Whether each name that is declared in some code returns a promise; undefined if one of that name does and another does not. */
function declaredIn(code: string): Map<string, boolean | undefined> {
  const found = new Map<string, boolean | undefined>()
  for (const form of DECLARED)
    for (const [, isAsync, name = "", returned] of code.matchAll(form)) {
      const promises = isAsync !== undefined && isAsync !== "" ? true : returned === "Promise"
      found.set(name, found.has(name) && found.get(name) !== promises ? undefined : promises)
    }
  return found
}

/** The classes and interfaces: the name, the one that it extends, and the body. */
const TYPE =
  /^(?:export )?(?:abstract )?(?:class|interface) (\w+)(?:<[^{\n]*?>)?(?: extends (\w+))?[^{]*\{\n([^]*?)^\}/gm

/** The end of the brackets that are open at a position; -1 if they are not closed. */
function closedAt(code: string, from: number): number {
  for (let at = from, depth = 1; at < code.length; at += 1) {
    if (code[at] === "(") depth += 1
    if (code[at] === ")" && (depth -= 1) === 0) return at
  }
  return -1
}

/** A call at the beginning of a statement: what stands before its name, and the name. */
const CALL =
  /(?<!(?:[=(,[?:&|+]|=>)\s*\n)^ *(?:(?:if \(.*\)|else|for \(.*\)) )?((?:[\w#]+[?!]?\.)*)(#?\w+)(?:\?\.)?\(/gm

/** What all files together say of the names in them. */
class Declared {
  /** Whether the functions that are exported return promises, and all functions and methods of a name. */
  readonly #exported = new Map<string, boolean | undefined>()
  readonly #named = new Map<string, Set<boolean | undefined>>()
  readonly #types = new Map<string, Map<string, boolean | undefined>>()
  readonly #bases = new Map<string, string>()
  /** The types of the members and parameters of a name. */
  readonly #typesOf = new Map<string, Set<string>>()

  constructor(codes: Iterable<string>) {
    for (const code of codes) {
      const all = declaredIn(code)
      for (const [name, promises] of all)
        this.#named.set(name, (this.#named.get(name) ?? new Set()).add(promises))
      for (const [, name = ""] of code.matchAll(/^export (?:async )?(?:function|const) (\w+)/gm))
        if (all.has(name)) this.#exported.set(name, all.get(name))
      for (const [, name = "", base = "", body = ""] of code.matchAll(TYPE)) {
        this.#types.set(name, declaredIn(body))
        this.#bases.set(name, base)
      }
      for (const [, name = "", type = ""] of code.matchAll(TYPED))
        this.#typesOf.set(name, (this.#typesOf.get(name) ?? new Set()).add(type))
    }
  }

  /** Whether a function that a file imports returns a promise. */
  isExportedPromise(name: string): boolean {
    return this.#exported.get(name) === true
  }

  /** Whether any function or method has this name. */
  has(name: string): boolean {
    return this.#named.has(name)
  }

  /** Whether a method returns a promise; `here` is the type of its receiver as its own file says it. */
  isPromise(receiver: string, here: string | undefined, name: string): boolean {
    const types = this.#typesOf.get(receiver)
    const [only = ""] = types?.size === 1 ? types : []
    for (let type = here ?? only; this.#types.has(type); type = this.#bases.get(type) ?? "") {
      const methods = this.#types.get(type)
      if (methods?.has(name)) return methods.get(name) === true
    }
    const all = this.#named.get(name)
    return all?.size === 1 && all.has(true) && !OTHERS.has(name)
  }
}

/** A member or parameter with its type. */
const TYPED = /(?<![\w#])(#?\w+)\??(?:: | = new )([A-Z]\w*)/g
/** Methods of Bun's databases and of the process have these names as well. */
const OTHERS = new Set(["run", "exit"])
/** Methods of Bun that return promises, unless ours have these names as well. */
const PROMISED_BY_OTHERS = new Set(["connect", "subscribe", "unsafe"])

/** The names that a file imports. */
const importedBy = (code: string): Set<string> =>
  new Set([...code.matchAll(/^import \{([^}]*)\}/gm)].flatMap(([, names = ""]) => names.match(/\w+/g) ?? []))

/** The type of each name in a file; none has a name that several types have there. */
function typesIn(code: string): Map<string, string> {
  const types = new Map<string, string>()
  for (const [, name = "", type = ""] of code.matchAll(TYPED))
    types.set(name, (types.get(name) ?? type) === type ? type : "")
  return types
}

/** Whether a statement ends here, and does not go on in the next line with a call of the result. */
const isEnd = (rest: string): boolean => /^ *\n(?!\s*[.?])/.test(rest)

/**
 * The calls in these files that are statements of their own and return a promise for which nothing waits: its error
 * would end the process, and what follows would not wait for its end. A call that is not waited for on purpose begins
 * with `void`, or ends with `catch`. A call whose receiver is not known is left out, unless all methods of its name
 * return promises.
 */
export function unawaited(sources: ReadonlyMap<string, string>): string[] {
  const codes = new Map([...sources].map(([file, source]) => [file, plain(source)]))
  const declared = new Declared(codes.values())
  return [...codes].flatMap(([file, code]) => {
    const own = declaredIn(code)
    const types = typesIn(code)
    const imported = importedBy(code)
    const isPromise = (path: string, name: string): boolean => {
      if (path === "Promise.") return name !== "withResolvers"
      if (name.startsWith("#") || ((path === "" || path === "this.") && own.has(name)))
        return own.get(name) === true
      if (path === "") return imported.has(name) && declared.isExportedPromise(name)
      if (PROMISED_BY_OTHERS.has(name) && !declared.has(name)) return true
      const receiver = /([\w#]+)[?!]?\.$/.exec(path)?.[1] ?? ""
      if (receiver === "super") return declared.isPromise(receiver, / extends (\w+)/.exec(code)?.[1], name)
      return declared.isPromise(receiver, types.get(receiver), name)
    }
    return [...code.matchAll(CALL)]
      .filter(([, path = "", name = ""]) => isPromise(path, name))
      .filter(({ 0: call, index }) => isEnd(code.slice(closedAt(code, index + call.length) + 1)))
      .map(({ 0: call, index }) => `${file}:${code.slice(0, index).split("\n").length} ${call.trim()}`)
  })
}
