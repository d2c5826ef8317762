import { AppError } from "../errors.ts"

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
 * The files of the page: `index.html`, the same one level deeper as `item.html`, and what they name as
 * `assets/NAME`.
 */
type PageFiles = ReadonlyMap<string, PageFile>

async function fileOf(content: Blob): Promise<PageFile> {
  const bytes = new Uint8Array(await content.arrayBuffer())
  return {
    bytes,
    gzipped: Bun.gzipSync(bytes, { level: 9 }),
    contentType: content.type,
    etag: `W/"${Bun.hash(bytes).toString(36)}"`,
  }
}

/** Bundles the page as `bun run build` does (package.json), in memory. */
async function bundled(): Promise<[name: string, content: Blob][]> {
  const { outputs } = await Bun.build({
    entrypoints: [`${import.meta.dir}/../dashboard/index.html`],
    target: "browser",
    minify: true,
    naming: {
      entry: "[name].[ext]",
      chunk: "assets/[name]-[hash].[ext]",
      asset: "assets/[name]-[hash].[ext]",
    },
  })
  return outputs.map((output) => [output.path.replace(/^\.\//, ""), output])
}

/** The page that was bundled before the binary was compiled, and lies in it. */
function embedded(): [name: string, content: Blob][] {
  const folder = `${import.meta.dir}/page`
  return [...new Bun.Glob("**/*").scanSync(folder)].map((name) => [name, Bun.file(`${folder}/${name}`)])
}

async function load(): Promise<PageFiles> {
  const found = Bun.isStandaloneExecutable ? embedded() : await bundled()
  const files = new Map<string, PageFile>()
  for (const [name, content] of found) files.set(name, await fileOf(content))
  const deeper = await found.find(([name]) => name === "index.html")?.[1].text()
  if (deeper === undefined) throw new Error("the page was not built")
  const item = new Blob([deeper.replaceAll('"./assets/', '"../assets/')], { type: "text/html;charset=utf-8" })
  return files.set("item.html", await fileOf(item))
}

let loaded: Promise<PageFiles> | undefined

/** The page's files, made at their first use and then kept. A failure is not kept. */
function pageFiles(): Promise<PageFiles> {
  loaded ??= load().catch((error: unknown) => {
    loaded = undefined
    throw error
  })
  return loaded
}

/**
 * One file by its name.
 * @throws AppError `not_found`
 */
export async function pageFile(name: string): Promise<PageFile> {
  const file = (await pageFiles()).get(name)
  if (!file) throw new AppError("not_found", `there is nothing at /${name}`)
  return file
}
