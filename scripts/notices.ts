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

/** What a package says of its licence. @throws Error if it says nothing */
function noticeOf(name: string): string {
  const folder = join(ROOT, "node_modules", name)
  const about: { version: string; license?: string; author?: string | { name: string } } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  )
  const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)/i.test(entry))
  if (file === undefined && about.license === undefined) throw new Error(`${name} names no licence`)
  const author = typeof about.author === "object" ? about.author.name : about.author
  const text =
    file === undefined
      ? `Licence: ${about.license}${author === undefined ? "" : `\nCopyright: ${author}`}`
      : readFileSync(join(folder, file), "utf8").trim()
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
