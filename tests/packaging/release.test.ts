import { expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"

import packageFile from "../../package.json"
import { temporaryFolder } from "../server.ts"

setDefaultTimeout(600_000)

const ROOT = join(import.meta.dir, "../..")
const inRoot = { cwd: ROOT, stdin: "ignore" } as const
const isProof = process.env["TRACK_STUDIO_PROVE"] === "1"

test("the notices name every dependency of the binary with its licence, and Bun with what is in it", () => {
  const { exitCode, stdout } = Bun.spawnSync(["bun", "scripts/notices.ts"], inRoot)
  const said = stdout.toString()
  expect(exitCode).toBe(0)
  for (const [name, version] of Object.entries(packageFile.dependencies)) {
    expect(said).toMatch(new RegExp(`^=+\n${name} ${version}\n=+\n\n\\S`, "m"))
  }
  expect(said).toContain(`Bun ${Bun.version}, the runtime`)
  expect(said).toContain("JavaScriptCore")
  // Its package brings no text of its licence, which must go with each copy.
  expect(said).toMatch(/^drizzle-orm [^]*?Licence: Apache-2\.0\n[^]*?END OF TERMS AND CONDITIONS$/m)
})

/** The kinds of executables, by their first bytes. */
const KINDS: Readonly<Record<string, string>> = {
  "linux-x64": "7f454c46020101 x86-64",
  "linux-arm64": "7f454c46020101 aarch64",
  "linux-x64-musl": "7f454c46020101 x86-64",
  "linux-arm64-musl": "7f454c46020101 aarch64",
  "darwin-arm64": "cffaedfe0c0000",
  "darwin-x64": "cffaedfe070000",
}

/** The files that the README links to. */
const readmeLinks = [
  ...(await Bun.file(join(ROOT, "README.md")).text()).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g),
].map(([, file = ""]) => file)

/** The machine of an ELF file. */
const MACHINES: Readonly<Record<number, string>> = { 62: " x86-64", 183: " aarch64" }

test.skipIf(!isProof)("a release has an archive for each target, and its sums are right", async () => {
  using folder = temporaryFolder()
  const built = Bun.spawnSync(["bun", "run", "release"], inRoot)
  expect([built.exitCode, built.exitCode === 0 ? "" : built.stderr.toString()]).toEqual([0, ""])
  const release = join(ROOT, "dist/release")
  expect(Bun.spawnSync(["sha256sum", "--check", "--quiet", "SHA256SUMS"], { cwd: release }).exitCode).toBe(0)
  for (const [target, kind] of Object.entries(KINDS)) {
    const name = `track-studio-${packageFile.version}-${target}`
    const { exitCode } = Bun.spawnSync(["tar", "-xzf", join(release, `${name}.tar.gz`), "-C", folder.path])
    expect([target, exitCode]).toEqual([target, 0])
    const head = Buffer.from(
      await Bun.file(join(folder.path, name, "track-studio"))
        .slice(0, 20)
        .arrayBuffer(),
    )
    const machine = head[0] === 0x7f ? MACHINES[head.readUInt16LE(18)] : ""
    expect([target, `${head.subarray(0, 7).toString("hex")}${machine}`]).toEqual([target, kind])
    for (const file of ["LICENSE", "THIRD-PARTY-NOTICES.txt", "packaging/install.sh", ...readmeLinks]) {
      expect([file, await Bun.file(join(folder.path, name, file)).exists()]).toEqual([file, true])
    }
  }
  // The archive for this machine is the one that install.sh finds beside itself and runs.
  const own = `track-studio-${packageFile.version}-${process.platform}-${process.arch}`
  const env = { ...process.env, DESTDIR: join(folder.path, "root") }
  const { exitCode, stdout } = Bun.spawnSync([join(folder.path, own, "packaging/install.sh")], { env })
  expect([exitCode, stdout.toString()]).toEqual([
    0,
    expect.stringContaining(`track-studio ${packageFile.version} (`),
  ])
})
