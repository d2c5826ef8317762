import type { Caller } from "../access/authorize.ts"
import { AppError } from "../errors.ts"
import { acceptsGzip } from "./accepts.ts"
import type { ClientLimits } from "./client-limits.ts"
import { PAGE_POLICY } from "./content-policies.ts"

/** One file of the page, ready to be sent. */
export interface PageFile {
  /** The content. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** The content compressed. */
  readonly gzipped: Uint8Array<ArrayBuffer>
  /** The value of `content-type`. */
  readonly contentType: string
  /** Changes with the content. */
  readonly etag: string
}

/**
 * Files by their names: `index.html`, `item.html`, which is the same page one level deeper, the assets of
 * both as `assets/NAME`, and the client.
 */
type PageFiles = ReadonlyMap<string, PageFile>

/** The files of the client, which pages of other sites use, and its types. */
const CLIENT: ReadonlyMap<string, string> = new Map([
  ["client.js", "text/javascript;charset=utf-8"],
  ["client.d.ts", "text/plain;charset=utf-8"],
])

async function fileOf(content: Blob): Promise<PageFile> {
  const bytes = new Uint8Array(await content.arrayBuffer())
  return {
    bytes,
    // This takes 15 ms longer than zlib, once, and saves each reader 2 kB.
    gzipped: Bun.gzipSync(bytes, { library: "libdeflate", level: 11 }),
    contentType: content.type,
    etag: `W/"${Bun.hash(bytes).toString(36)}"`,
  }
}

/** Bundles the page as `bun run build` does (package.json), in memory. */
async function bundled(): Promise<[name: string, content: Blob][]> {
  const { outputs } = await Bun.build({
    entrypoints: [`${import.meta.dir}/../dashboard/index.html`],
    // For "browser", nested rules would be written out; every browser that has popovers, which the page needs, knows them.
    target: "node",
    minify: true,
    naming: {
      entry: "[name].[ext]",
      chunk: "assets/[name]-[hash].[ext]",
      asset: "assets/[name]-[hash].[ext]",
    },
  })
  return outputs.map((output) => [output.path.replace(/^\.\//, ""), output])
}

/** The client as one module, and its types, as `bun run build` makes them. */
async function clientOfSource(): Promise<[name: string, content: Blob][]> {
  const root = `${import.meta.dir}/../..`
  const { outputs } = await Bun.build({
    entrypoints: [`${root}/src/client/client.ts`],
    target: "browser",
    minify: true,
  })
  const types = Bun.spawn([process.execPath, `${root}/scripts/client-types.ts`], { stderr: "inherit" })
  const text = await new Response(types.stdout).text()
  if ((await types.exited) !== 0) throw new Error("the types of the client were not built")
  return [
    ...outputs.map((output): [string, Blob] => ["client.js", output]),
    ["client.d.ts", new Blob([text])],
  ]
}

/** The page that was bundled before the binary was compiled, and is part of it. */
function embedded(): [name: string, content: Blob][] {
  const folder = `${import.meta.dir}/page`
  return [...new Bun.Glob("**/*").scanSync(folder)].map((name) => [name, Bun.file(`${folder}/${name}`)])
}

async function loadClient(): Promise<PageFiles> {
  const found = Bun.isStandaloneExecutable ? embedded() : await clientOfSource()
  const files = new Map<string, PageFile>()
  for (const [name, content] of found) {
    const type = CLIENT.get(name)
    if (type !== undefined) files.set(name, await fileOf(new Blob([content], { type })))
  }
  return files
}

async function loadPage(): Promise<PageFiles> {
  const found = Bun.isStandaloneExecutable ? embedded() : await bundled()
  const files = new Map<string, PageFile>()
  for (const [name, content] of found) if (!CLIENT.has(name)) files.set(name, await fileOf(content))
  const built = await found.find(([name]) => name === "index.html")?.[1].text()
  if (built === undefined) throw new Error("the page was not built")
  const html = built.replace(/>\s+</g, "><").replace(/\s+/g, " ")
  const fileOfHtml = (text: string): Promise<PageFile> =>
    fileOf(new Blob([text], { type: "text/html;charset=utf-8" }))
  files.set("index.html", await fileOfHtml(html))
  return files.set("item.html", await fileOfHtml(html.replaceAll('"./assets/', '"../assets/')))
}

/** Makes something when it is first needed, and keeps it. After a failure it tries again the next time. */
export function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined
  return () => {
    loaded ??= load().catch((error: unknown) => {
      loaded = undefined
      throw error
    })
    return loaded
  }
}

const pageFiles = once(loadPage)
const clientFiles = once(loadClient)

/**
 * One file by its name.
 * @throws AppError `not_found`
 */
export async function pageFile(name: string): Promise<PageFile> {
  const file = (await (CLIENT.has(name) ? clientFiles() : pageFiles())).get(name)
  if (!file) throw new AppError("not_found", `there is nothing at /${name}`)
  return file
}

const SAFE = {
  "content-security-policy": PAGE_POLICY,
  "referrer-policy": "no-referrer",
}

const hasTag = (request: Request, etag: string): boolean =>
  (request.headers.get("if-none-match") ?? "").split(",").some((tag) => tag.trim() === etag)

/** Who asks for a file. */
interface Asking {
  readonly request: Request
  readonly caller: Caller
}

/**
 * Answers with a file, for which `limits` charge the caller. The answer is compressed if the client accepts
 * that, and 304 if the client already has the file. `headers` are sent in addition to the headers of every
 * file.
 */
export function fileAnswer(
  { request, caller }: Asking,
  limits: ClientLimits,
  file: PageFile,
  headers: Readonly<Record<string, string>>,
): Response {
  const all = { ...SAFE, ...headers, etag: file.etag }
  if (hasTag(request, file.etag)) return new Response(null, { status: 304, headers: all })
  const body = acceptsGzip(request)
    ? { bytes: file.gzipped, encoding: { "content-encoding": "gzip" } }
    : { bytes: file.bytes, encoding: {} }
  limits.charge(caller, body.bytes.length)
  return new Response(body.bytes, { headers: { ...all, ...body.encoding, "content-type": file.contentType } })
}
