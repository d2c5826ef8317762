import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { basename, dirname, join, relative } from "node:path"

import { FAST_ROUND_MS } from "../src/background-work.ts"
import { exportersOf, importsOf, membersOf, promisedBy } from "./members.ts"
import { CORE, ENGINES, GIVEN_A_CLOCK, LIGHT, OWN_FOLDERS, OWN_TIMERS, type Rule, RULES } from "./places.ts"

const ROOT = join(import.meta.dir, "..")

const files = [...new Bun.Glob("src/**/*.ts").scanSync(ROOT)].sort()
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8")

/** The names that a file imports, including types. */
const imported = (file: string): string[] =>
  [...read(file).matchAll(/(?:(?<!["-])\bfrom|\bimport\(|^import)\s*"([^"]+)"/gm)].map(
    ([, name = ""]) => name,
  )

/** The place of a file, as the table names it: `src/http/app.ts` is `http/app`. */
const placeOf = (file: string): string => file.replace(/^src\//, "").replace(/\.ts$/, "")

/** The name of the rule for a place: the place itself, or the nearest folder that has a rule. */
function ruleNameOf(place: string): string | undefined {
  for (let name = place; name !== "."; name = dirname(name)) if (RULES[name]) return name
  return undefined
}

/** The rule for a place; the files of one folder may import each other. */
function ruleOf(place: string): Rule | undefined {
  const name = ruleNameOf(place)
  const rule = name === undefined ? undefined : RULES[name]
  return rule && name !== undefined ? { ...rule, own: [...rule.own, name] } : undefined
}

/** The places among these names, which are our own files. */
const placesOf = (file: string, names: readonly string[]): string[] =>
  names
    .filter((name) => name.startsWith("."))
    .map((name) => placeOf(relative(ROOT, join(ROOT, dirname(file), name))))

/** The names that a file needs when it runs. An import of types alone does not exist any more by then. */
const needed = (file: string): string[] =>
  [...read(file).matchAll(/^(?:import|export) (?!type\b)(?:[\w*{},\s]+ from )?"([^"]+)"/gm)].map(
    ([, name = ""]) => name,
  )

const within = (name: string, allowed: readonly string[]): boolean =>
  allowed.some((one) => name === one || name.startsWith(`${one}/`))

/** The code without comments and texts. */
const code = (file: string): string =>
  read(file).replace(/\/\*[^]*?\*\/|\/\/.*$|`(?:\\.|[^`\\])*`|"(?:\\.|[^"\\\n])*"/gm, '""')

test("every file has a rule", () => {
  expect(files.length).toBeGreaterThan(25)
  expect(files.filter((file) => ruleOf(placeOf(file)) === undefined)).toEqual([])
})

test.each(files)("%s imports what its place may import", (file) => {
  const { own, packages = [] } = ruleOf(placeOf(file)) ?? { own: [] }
  const foreign = imported(file).filter((name) => !name.startsWith("."))
  expect(placesOf(file, imported(file)).filter((place) => !within(place, own))).toEqual([])
  expect(foreign.filter((name) => !within(name, packages))).toEqual([])
})

test("the page and the client need no package when they run, and little of ours", () => {
  const needing = files.filter((file) => within(placeOf(file), LIGHT))
  expect(needing.filter((file) => needed(file).some((name) => !name.startsWith(".")))).toEqual([])
  const places = needing.flatMap((file) => placesOf(file, needed(file)))
  expect(places.length).toBeGreaterThan(0)
  expect(places.filter((place) => !within(place, LIGHT))).toEqual([])
})

test("every import that a rule allows is used", () => {
  const used = new Map<string, Set<string>>()
  for (const file of files) {
    const name = ruleNameOf(placeOf(file)) ?? ""
    const names = imported(file).filter((one) => !one.startsWith("."))
    used.set(name, new Set([...(used.get(name) ?? []), ...placesOf(file, imported(file)), ...names]))
  }
  const unused = Object.entries(RULES).flatMap(([name, { own, packages = [] }]) =>
    [...own, ...packages]
      .filter((allowed) => ![...(used.get(name) ?? [])].some((one) => within(one, [allowed])))
      .map((allowed) => `${name} may import ${allowed}`),
  )
  expect(unused).toEqual([])
})

test("no file imports itself through others, types included", () => {
  const cycles = new Set<string>()
  const known = new Set<string>()
  const visit = (place: string, way: readonly string[]): void => {
    const at = way.indexOf(place)
    if (at >= 0) cycles.add(way.slice(at).sort().join(", "))
    if (at >= 0 || /\.(json|css)$/.test(place) || known.has(place)) return
    const file = `src/${place}.ts`
    for (const next of placesOf(file, imported(file))) visit(next, [...way, place])
    known.add(place)
  }
  for (const file of files) visit(placeOf(file), [])
  expect([...cycles]).toEqual([])
})

test("the core uses no framework, no database and nothing of Bun", () => {
  const core = files.filter((file) => within(placeOf(file), CORE) && !within(placeOf(file), ENGINES))
  expect(core.length).toBeGreaterThan(CORE.length)
  for (const file of core) {
    expect(imported(file).filter((name) => /^bun|elysia|drizzle/.test(name))).toEqual([])
    expect(code(file)).not.toMatch(/\bBun\.|\bprocess\.|\bconsole\./)
  }
})

test("the map names the core as it is checked", () => {
  const [, names = ""] = /imports no framework\.\*\* `([^`]+)`/.exec(read("docs/ARCHITECTURE.md")) ?? []
  expect(names.split(", ")).toEqual(CORE.toSorted())
})

test("only the composition roots choose a store and a bus: that of the server, and that of commands", () => {
  const choosing = files.filter(
    (file) =>
      !within(placeOf(file), ["store/sqlite", "store/postgres"]) &&
      /new (SqliteStore|LocalBus|RemoteBus)\b|PostgresStore\.open/.test(read(file)),
  )
  expect(choosing).toEqual(["src/database-commands.ts", "src/serve/open-bus.ts", "src/serve/open-store.ts"])
})

test("only these four files read the environment", () => {
  expect(files.filter((file) => read(file).includes("process.env"))).toEqual([
    "src/settings/colour-and-motion.ts",
    "src/settings/environment.ts",
    "src/settings/proxy.ts",
    "src/settings/read-settings.ts",
  ])
})

test("every process that is started is given an environment, which holds no token of ours", () => {
  const starting = files.filter((file) => read(file).includes("Bun.spawn(") && !file.includes("page-files"))
  const inheriting = starting.filter((file) => !/\benv: (environment\(|\{ PATH: )/.test(read(file)))
  expect([starting.length > 3, inheriting]).toEqual([true, []])
})

const ours = [
  ...files,
  ...new Bun.Glob("tests/**/*.ts").scanSync(ROOT),
  ...new Bun.Glob("examples/**/*.{ts,tsx}").scanSync(ROOT),
].filter((file) => !file.includes("node_modules"))

const TESTS = [...new Bun.Glob("tests/**/*.test.ts").scanSync(ROOT)].sort()

test("the tests have the folders of the source, and those named here", () => {
  const known = new Set(files.map((file) => dirname(placeOf(file))))
  const used = new Set(TESTS.map((file) => relative("tests", dirname(file)) || "."))
  expect([...used].filter((folder) => !known.has(folder) && !(folder in OWN_FOLDERS))).toEqual([])
  expect(Object.keys(OWN_FOLDERS).filter((folder) => !used.has(folder) || known.has(folder))).toEqual([])
})

test("a test with the name of a file of the source stands in the folder of that file", () => {
  const foldersOf = Map.groupBy(files.map(placeOf), (place) => basename(place))
  const named = TESTS.filter((file) => foldersOf.has(basename(file, ".test.ts")))
  expect(named.length).toBeGreaterThan(200)
  const astray = named.filter((file) => {
    const place = relative("tests", file).replace(/\.test\.ts$/, "")
    return foldersOf.get(basename(place))?.includes(place) !== true
  })
  expect(astray).toEqual([])
})

test("no file is longer than 400 lines", () => {
  const length = (file: string): number => read(file).split("\n").length - 1
  expect(ours.filter((file) => !file.startsWith("examples/") && length(file) > 400)).toEqual([])
})

test("half of the files of the source have at most 105 lines", () => {
  const lengths = files.map((file) => read(file).split("\n").length - 1).sort((one, other) => one - other)
  expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThanOrEqual(105)
})

/** Functions of more than 40 lines, found by the parser of the linter: their files and names. */
async function longFunctions(): Promise<string[]> {
  const config = join(import.meta.dir, "lengths.json")
  const child = Bun.spawn([process.execPath, "x", "oxlint", "-c", config, "--format", "json", "src"], {
    cwd: ROOT,
    stderr: "inherit",
  })
  const found: {
    diagnostics: { filename: string; labels: { span: { line: number } }[] }[]
    number_of_files: number
  } = await new Response(child.stdout).json()
  expect(found.number_of_files).toBe(files.length)
  return found.diagnostics.map(({ filename, labels }) => {
    const line = read(filename).split("\n")[(labels[0]?.span.line ?? 1) - 1] ?? ""
    return `${filename} ${/(?:const|function\*?) (\w+)/.exec(line)?.[1] ?? line.trim()}`
  })
}

test("no function is longer than 40 lines, but for chains of routes", async () => {
  const isChain = (one: string): boolean => /^src\/http\/\S+ (?:\w+(?:Routes|Sockets)|createApp)$/.test(one)
  const long = await longFunctions()
  expect(long.filter((one) => !isChain(one))).toEqual([])
  expect(long.filter(isChain).length).toBeGreaterThan(5)
}, 180_000)

test("nothing is of type any, and no error is silenced", () => {
  expect(ours.filter((file) => /(?:[:<|&=]|\b(?:as|extends))\s*any\b|\bany\[\]/.test(code(file)))).toEqual([])
  expect(ours.filter((file) => /@ts-(ignore|expect-error|nocheck)/.test(read(file)))).toEqual([])
})

test("no value is asserted to be there with a postfix exclamation mark", () => {
  expect(files.filter((file) => /[\w\])]!(?!=)/.test(code(file)))).toEqual([])
})

test("the documents name no file of the source that does not exist", () => {
  const documents = [...new Bun.Glob("*.md").scanSync(ROOT), ...new Bun.Glob("docs/*.md").scanSync(ROOT)]
  const places = new Set(files.map(placeOf))
  const folders = new Set(files.map((file) => placeOf(file).split("/")[0]))
  const named = documents.flatMap((file) =>
    [...read(file).matchAll(/`(?:src\/)?([a-z-]+(?:\/[a-z-]+)+)(?:\.ts)?`/g)].map(([, place = ""]) => ({
      file,
      place,
    })),
  )
  const own = named.filter(({ place }) => folders.has(place.split("/")[0] ?? ""))
  expect(own.length).toBeGreaterThan(20)
  const isThere = (place: string): boolean =>
    [...places].some((one) => one === place || one.startsWith(`${place}/`))
  expect(own.filter(({ place }) => !isThere(place))).toEqual([])
  // The formatter puts spaces into the marks of a merge conflict.
  const torn = documents.filter((file) => /^(?:<{7}|>{7}|={7}|(?:> ){6}>)/m.test(read(file)))
  expect(torn).toEqual([])
})

test("each file that the map names is in the folder that it is named for", () => {
  const map = read("docs/ARCHITECTURE.md")
  const between = (start: string, end: string): string =>
    map.slice(map.indexOf(`## ${start}`), map.indexOf(`## ${end}`))
  const rows = [
    ...between("The map", "What each table holds").matchAll(/^- `src\/([\w/]+)\/`: (.*(?:\n {2}- .*)*)$/gm),
  ]
  expect(rows.length).toBeGreaterThan(15)
  const described = [
    ...rows.map(([, folder = "", text = ""]) => ({ folder, text })),
    { folder: "runner", text: between("How `run` and `work`", "How the page") },
    { folder: "dashboard", text: between("How the page is built", "Words") },
  ]
  const places = files.map(placeOf)
  const isIn = (folder: string, name: string): boolean =>
    places.some((place) => place.startsWith(`${folder}/`) && `/${place}`.endsWith(`/${name}`))
  const wrong = described.flatMap(({ folder, text }) =>
    [...text.matchAll(/`([a-z]+(?:-[a-z]+)*)`/g)]
      .map(([, name = ""]) => name)
      .filter((name) => !isIn(folder, name) && !isIn("commands", name) && !isIn("renderers", name))
      .map((name) => `${folder} ${name}`),
  )
  expect(wrong).toEqual([])
})

test("repeated work is started by `every`, except for two timers and those of the page", () => {
  const repeating = files.filter((file) => /\bsetInterval\(/.test(code(file))).map(placeOf)
  expect(OWN_TIMERS.filter((own) => !repeating.some((place) => within(place, [own])))).toEqual([])
  expect(repeating.filter((place) => !within(place, OWN_TIMERS))).toEqual([])
})

test("no part of a fleet's server reads the machine's clock, because a wrong one must change nothing", () => {
  const asking = files.filter((file) => /\bDate\.now\b|\bnew Date\(\)/.test(code(file))).map(placeOf)
  // The times in the log are those of the machine.
  expect(asking).toContain("log")
  expect(asking.filter((place) => within(place, GIVEN_A_CLOCK))).toEqual([])
})

test("the table of timers names each service that repeats itself, and how often", () => {
  const table = read("docs/ARCHITECTURE.md")
  const shown = (ms: number): string => (ms < 1000 ? `${ms} ms` : `${ms / 1000} s`)
  const timers = files.flatMap((file) => {
    const [, name] = /^export class (\w+) extends Repeating\b/m.exec(read(file)) ?? []
    const [, rounds = "1"] = /^const ROUND_MS = (\d+) \* FAST_ROUND_MS$/m.exec(read(file)) ?? []
    const [, ms = Number(rounds) * FAST_ROUND_MS] = /^const ROUND_MS = ([\d_]+)$/m.exec(read(file)) ?? []
    return name === undefined ? [] : [{ name, every: shown(Number(String(ms).replaceAll("_", ""))) }]
  })
  expect(timers.length).toBeGreaterThan(8)
  const rowOf = ({ name }: { name: string }) =>
    new RegExp(`^\\| \`${name}\` +\\| (.*?) +\\|`, "m").exec(table)?.[1]
  expect(timers.map((timer) => ({ ...timer, every: rowOf(timer) }))).toEqual(timers)
})

test("every exported thing of the source says what it is for", () => {
  const silent = files.flatMap((file) => {
    const lines = read(file).split("\n")
    return lines.flatMap((line, i) => {
      const [, name] =
        /^export (?:async )?(?:function\*?|class|const|interface|abstract class) (\w+)/.exec(line) ?? []
      return name !== undefined && !(lines[i - 1] ?? "").endsWith("*/") ? [`${file} ${name}`] : []
    })
  })
  expect(silent).toEqual([])
})

test("nothing is exported that nothing imports, but for types that an exported signature names", () => {
  // Of a file that is imported as a whole, the names that stand in the importing file are used.
  const usedBy = (file: string): string[] =>
    importsOf(read(file)).flatMap(({ from, name }) =>
      (name === "*" ? (read(file).match(/\w+/g) ?? []) : [name]).map(
        (one) => `${join(dirname(file), from)} ${one}`,
      ),
    )
  const used = new Set(ours.flatMap(usedBy))
  // drizzle-kit reads the tables, but no file of ours does.
  const idle = files
    .filter((file) => !/(sqlite\/|postgres\/|fleet-)schema\.ts$/.test(file))
    .flatMap((file) =>
      [...read(file).matchAll(/^export (?:async |abstract )?(?:function\*?|class|const) (\w+)/gm)].map(
        ([, name = ""]) => `${file} ${name}`,
      ),
    )
    .filter((one) => !used.has(one))
  expect(idle).toEqual([])
  const idleTypes = files.flatMap((file) =>
    [...read(file).matchAll(/^export (?:interface|type) (\w+)/gm)]
      .filter(([, name = ""]) => read(file).match(new RegExp(`\\b${name}\\b`, "g"))?.length === 1)
      .map(([, name = ""]) => `${file} ${name}`)
      .filter((one) => !used.has(one)),
  )
  expect(idleTypes).toEqual([])
}, 180_000)

test("an exported name stands in one file; the two stores may each have theirs", () => {
  const isOfStore = (file: string): boolean => /^src\/store\/(?:sqlite|postgres)\//.test(file)
  const twice = [...exportersOf(files.map((file) => [file, read(file)]))].filter(
    ([, of]) => of.length > 1 && !(of.length === 2 && of.every(isOfStore)),
  )
  expect(twice.map(([name, of]) => `${name}: ${of.join(", ")}`)).toEqual([])
})

test("the name of an exported type means one thing: no other file has a type of that name for itself", () => {
  const exporters = exportersOf(files.map((file) => [file, read(file)]))
  const foreign = files.flatMap((file) =>
    [...read(file).matchAll(/^(?:abstract )?(?:interface|type|class) (\w+)/gm)]
      .map(([, name = ""]) => ({ name, of: exporters.get(name) ?? [] }))
      .filter(({ of }) => of.some((one) => one !== file))
      .map(({ name, of }) => `${file} ${name}, which is of ${of.join(", ")}`),
  )
  expect(foreign).toEqual([])
})

test("every member of an exported contract says what it is, and an optional one what its absence means", () => {
  const promised = new Set(files.flatMap((file) => promisedBy(read(file))))
  const all = files.flatMap((file) => membersOf(read(file), promised).map((member) => ({ file, ...member })))
  expect(all.length).toBeGreaterThan(700)
  const nameOf = ({ file, of, name }: (typeof all)[number]): string => `${file} ${of}.${name}`
  expect(all.filter(({ isDocumented }) => !isDocumented).map(nameOf)).toEqual([])
  expect(all.filter(({ isSilentOnAbsence }) => isSilentOnAbsence).map(nameOf)).toEqual([])
  // The control: it finds a member without a sentence, and an optional member that does not say what its
  // absence means.
  const silent = "export interface One {\n  readonly a: string\n  /** A text. */\n  readonly b?: string\n}\n"
  expect(membersOf(silent, new Set())).toEqual([
    { of: "One", name: "a", isDocumented: false, isSilentOnAbsence: false },
    { of: "One", name: "b", isDocumented: true, isSilentOnAbsence: true },
  ])
})

test("the lock file names packages by version alone, so that they come from the configured registry", () => {
  for (const lock of ["bun.lock", "tests/bench/peers/bun.lock"]) expect(read(lock)).not.toContain("://")
})

test("dependencies are pinned to exact versions", () => {
  const {
    dependencies,
    devDependencies,
  }: Record<string, Record<string, string>> = JSON.parse(read("package.json"))
  for (const version of Object.values({ ...dependencies, ...devDependencies })) {
    expect(version).toMatch(/^\d+\.\d+\.\d+$/)
  }
})
