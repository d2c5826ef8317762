/**
 * Prints the notices of everything that a binary contains and that is not ours: each package that the bundler takes in,
 * with its own licence, and what Bun says of itself and of the libraries in it.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

const ROOT = join(import.meta.dir, "..")
const LINE = "=".repeat(80)

/** The packages that the server, the commands and the page are bundled with. */
async function bundled(): Promise<string[]> {
  const { metafile } = await Bun.build({
    entrypoints: [join(ROOT, "src/main.ts"), join(ROOT, "src/dashboard/index.html")],
    target: "bun",
    metafile: true,
  })
  const names = Object.keys(metafile?.inputs ?? {}).flatMap((file) => {
    const [, after] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file) ?? []
    return after === undefined ? [] : [after]
  })
  if (names.length === 0) throw new Error("the bundler names no package")
  return [...new Set(names)].sort()
}

const END_OF_TERMS = "END OF TERMS AND CONDITIONS"

/**
 * The terms of the Apache licence, which must go with each copy of a work under it. They are the same in each package, so
 * they are taken from one that brings them.
 */
function apacheTerms(): string {
  for (const file of new Bun.Glob("node_modules/*/LICENSE*").scanSync(ROOT)) {
    const text = readFileSync(join(ROOT, file), "utf8")
    const end = text.indexOf(END_OF_TERMS)
    if (text.trimStart().startsWith("Apache License") && end > 0)
      return text.slice(0, end + END_OF_TERMS.length)
  }
  throw new Error("no package brings the terms of the Apache licence")
}

/** What a package says of its licence. @throws Error if it says nothing */
function noticeOf(name: string): string {
  const folder = join(ROOT, "node_modules", name)
  const about: { version: string; license?: string; author?: string | { name: string } } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  )
  const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)/i.test(entry))
  if (file === undefined && about.license === undefined) throw new Error(`${name} names no licence`)
  const author = typeof about.author === "object" ? about.author.name : about.author
  const named = `Licence: ${about.license}${author === undefined ? "" : `\nCopyright: ${author}`}`
  const terms = file === undefined && about.license === "Apache-2.0" ? `\n\n${apacheTerms()}` : ""
  const text = file === undefined ? named + terms : readFileSync(join(folder, file), "utf8").trim()
  return `${LINE}\n${name} ${about.version}\n${LINE}\n\n${text}\n`
}

const bun = readFileSync(join(ROOT, "node_modules/bun-types/docs/project/license.mdx"), "utf8")

process.stdout
  .write(`Track Studio Orchestrator is under the MIT licence; see LICENSE. Its binaries contain the following works of others.

${(await bundled()).map(noticeOf).join("\n")}
${LINE}
Bun ${Bun.version}, the runtime
${LINE}

${bun.replace(/^---[^]*?---\s*/, "").trim()}
`)
