import { Database } from "bun:sqlite"
import { expect, setDefaultTimeout, test } from "bun:test"
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"

import { examinedDisk, fileSystemOf, roomOf } from "../../src/doctor/disk.ts"
import type { Finding } from "../../src/doctor/finding.ts"
import { descriptors, silentProgram, vanishing } from "../../src/doctor/machine.ts"
import { freeBytes } from "../../src/machine/machine.ts"
import { SqliteStore } from "../../src/store/sqlite/sqlite.ts"
import { PROGRAM, run, start, temporaryFolder } from "../server.ts"

setDefaultTimeout(180_000)

const MOUNTS = `27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:44 / /srv rw,relatime shared:7 - nfs4 nas:/srv rw,vers=4.2
41 27 0:45 / /mnt/two\\040words rw - fuse.sshfs box:/ rw
42 40 254:1 / /srv/local rw - xfs /dev/vdb rw
43 27 0:46 / /media/usb rw - fuseblk /dev/sdb1 rw
44 27 0:47 / /share rw - cifs //nas/share rw
45 27 0:48 / /run rw - tmpfs tmpfs rw
46 27 0:49 / /container rw - overlay overlay rw
47 27 0:50 / /twice rw - ext4 /dev/vdc rw
48 47 0:51 / /twice rw - tmpfs tmpfs rw
`

test.each([
  ["/var/lib/track-studio", "good", "ext4, mounted at /"],
  ["/srv/queue", "fault", "nfs4, mounted at /srv:"],
  ["/srvother", "good", "ext4, mounted at /"],
  ["/srv/local/queue", "good", "xfs, mounted at /srv/local"],
  ["/mnt/two words/queue", "fault", "fuse.sshfs, mounted at /mnt/two words:"],
  ["/media/usb", "good", "fuseblk"],
  ["/share/queue", "fault", "cifs"],
  ["/run/queue", "fault", "gone after a restart"],
  ["/container/queue", "note", "overlay"],
  // The later mount hides the one before it.
  ["/twice/queue", "fault", "tmpfs, mounted at /twice"],
])("the file system that holds %s is found, and judged: %s", (path, verdict, says) => {
  expect(fileSystemOf(path, MOUNTS)).toMatchObject({ verdict, says: expect.stringContaining(says) })
})

test("a disk without room and a process with few descriptors are faults", () => {
  expect(roomOf(400e6, 40e9)).toMatchObject({ fault: "disk_full", says: "400 MB of 40.0 GB are free" })
  expect(roomOf(4e9, 40e9)).toMatchObject({ verdict: "good" })
  expect([499e6, 500e6].map((free) => roomOf(free, 40e9).verdict)).toEqual(["fault", "good"])
  const limits = (hard: string): string => `Max open files            1024                 ${hard}  files`
  expect(descriptors(limits("4096"))).toMatchObject({
    fault: "descriptors_few",
    says: expect.stringContaining("3276 streams"),
  })
  expect(descriptors(limits("65536"))).toMatchObject({ verdict: "good" })
  expect(descriptors(limits("unlimited"))).toMatchObject({ verdict: "good" })
  expect(["12499", "12500"].map((hard) => descriptors(limits(hard)).verdict)).toEqual(["fault", "good"])
  expect(descriptors("")).toMatchObject({ verdict: "unknown" })
  expect(vanishing("8\n")).toMatchObject({ verdict: "good" })
  expect(vanishing("15\n")).toMatchObject({
    verdict: "note",
    says: expect.stringContaining("tcp_retries2=8"),
  })
  expect(vanishing("")).toMatchObject({ verdict: "unknown" })
})

/** A folder with a program that answers like systemctl, which prints only the properties that it is asked for. */
function withSystemctl(folder: string, states: Readonly<Record<string, string>>): string {
  const cases = Object.entries(states).map(([unit, state]) => `${unit}) printf '${state}' ;;`)
  const asked = 'while IFS= read -r line; do case ",$4," in *",${line%%=*},"*) echo "$line" ;; esac; done'
  writeFileSync(join(folder, "systemctl"), `#!/bin/sh\ncase $2 in ${cases.join(" ")} esac | ${asked}\n`)
  chmodSync(join(folder, "systemctl"), 0o755)
  return folder
}

test("without a URL it looks at this machine, in words, and exits with 1 for a fault", async () => {
  using folder = temporaryFolder()
  const path = withSystemctl(folder.path, {
    "track-studio": "LoadState=loaded\\nActiveState=failed\\nSubState=failed\\n",
    "track-studio-worker": "LoadState=not-found\\nActiveState=inactive\\n",
  })
  // Nothing else is found there: no ffprobe, and no systemctl of this machine.
  writeFileSync(join(path, "ffmpeg"), "\x7fELF of another machine", { mode: 0o755 })
  writeFileSync(join(path, "blender"), "#!/bin/sh\nexit 3\n", { mode: 0o755 })
  symlinkSync(process.execPath, join(path, "bun"))
  const { code, stdout } = await run(["doctor", "--database", join(folder.path, "queue.db")], {
    PATH: path,
  })
  expect(stdout).toContain(`✔ database             ${folder.path} can be written\n`)
  expect(stdout).toMatch(/^✔ disk +[\d.]+ [GT]B of [\d.]+ [GT]B are free$/m)
  expect(stdout).toMatch(/^• ffprobe +not found: on a machine that renders, videos are not checked when /m)
  expect(stdout).toMatch(
    /^✘ ffmpeg +does not run: it is a program for another kind of machine, or damaged\n/m,
  )
  expect(stdout).toMatch(/^✘ blender +does not run: it ended with 3\n +install it again, /m)
  expect(stdout).toMatch(/^✘ track-studio +failed \(failed\)\n +systemctl enable --now UNIT; /m)
  expect(stdout).toMatch(/^• track-studio-worker +not installed; packaging\/install.sh installs it$/m)
  expect(stdout).toEndWith("\n3 faults.\n")
  expect(code).toBe(1)
})

test("a program that cannot be started because too many files are open is not taken for a broken one", () => {
  using folder = temporaryFolder()
  const { stdout } = Bun.spawnSync([
    ...["bash", "-c", 'ulimit -n 12; exec "$@"', "-", ...PROGRAM],
    ...["doctor", "--database", join(folder.path, "queue.db")],
  ])
  const not = "not tried: no other program can be started now \\(EMFILE\\)"
  expect(`${stdout}`).toMatch(new RegExp(`^\\? ffmpeg +${not}; raise ulimit -n, or end other programs$`, "m"))
  expect(`${stdout}`).toMatch(new RegExp(`^\\? track-studio +${not}`, "m"))
  expect(`${stdout}`).not.toContain("install it again")
})

test("a program that does not start in time is not taken for a broken one: the machine may be busy", () => {
  const killed = { code: null, killed: true }
  expect(silentProgram("blender", "renders fail", killed)).toMatchObject({
    verdict: "unknown",
    says: "printed no version within 10 s: it hangs, or this machine is very busy",
  })
})

test("a unit that is installed and not enabled is no fault, but one that is enabled and does not run is a fault", async () => {
  using folder = temporaryFolder()
  const path = withSystemctl(folder.path, {
    "track-studio": "LoadState=loaded\\nActiveState=inactive\\nSubState=dead\\nUnitFileState=enabled\\n",
    "track-studio-worker":
      "LoadState=loaded\\nActiveState=inactive\\nSubState=dead\\nUnitFileState=disabled\\n",
  })
  writeFileSync(join(path, "ffprobe"), `#!${join(path, "data")}\n`, { mode: 0o755 })
  writeFileSync(join(path, "data"), "", { mode: 0o644 })
  symlinkSync(process.execPath, join(path, "bun"))
  const { stdout } = await run(["doctor", "--database", join(folder.path, "queue.db")], { PATH: path })
  expect(stdout).toMatch(/^✘ ffprobe +does not run: this user may not run it$/m)
  expect(stdout).toMatch(/^✘ track-studio +inactive \(dead\)$/m)
  expect(stdout).toMatch(/^• track-studio-worker +installed, and not in use here; /m)
})

const databaseOf = (file: string): Finding | undefined =>
  [...examinedDisk(file, "")].find(({ about }) => about === "database")

test("a database that is no file is a fault, through a link too", () => {
  using folder = temporaryFolder()
  const file = join(folder.path, "queue.db")
  mkdirSync(file)
  expect(databaseOf(file)).toMatchObject({ fault: "disk_unusable", says: `${file} is not a file` })
  const link = join(folder.path, "link.db")
  symlinkSync(file, link)
  expect(databaseOf(link)).toMatchObject({ fault: "disk_unusable", says: `${file} is not a file` })
  writeFileSync(join(folder.path, "other.db"), "")
  expect(databaseOf(join(folder.path, "other.db"))).toMatchObject({ verdict: "good" })
  mkdirSync(join(folder.path, "other.db-wal"))
  expect(databaseOf(join(folder.path, "other.db"))?.says).toEndWith("other.db-wal is not a file")
})

test("a file that a server could not use is a fault, and is left as it is", async () => {
  using folder = temporaryFolder()
  const at = (name: string): string => join(folder.path, name)
  const store = new SqliteStore(at("ours.db"))
  const usable = `${folder.path} can be written`
  expect(databaseOf(at("ours.db"))?.says).toBe(usable)
  await store.close()
  expect(databaseOf(at("ours.db"))?.says).toBe(usable)
  writeFileSync(at("garbage.db"), "no database".repeat(1000))
  const made = (name: string, text: string): void => {
    using client = new Database(at(name))
    client.run(text)
  }
  made("foreign.db", "CREATE TABLE albums (id)")
  copyFileSync(at("ours.db"), at("newer.db"))
  made("newer.db", "INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('later', 0)")
  const bad = { garbage: "is not a database", foreign: "another program", newer: "a newer version (schema " }
  const there = readdirSync(folder.path)
  for (const [name, says] of Object.entries(bad)) {
    const before = readFileSync(at(`${name}.db`))
    const found = { fault: "database_unusable", says: expect.stringContaining(says) }
    expect(databaseOf(at(`${name}.db`))).toMatchObject(found)
    expect(readFileSync(at(`${name}.db`)).equals(before)).toBe(true)
  }
  expect(readdirSync(folder.path)).toEqual(there)
})

test("of a database that is not there yet, what its links lead to is examined", () => {
  using folder = temporaryFolder()
  const at = (name: string): string => join(folder.path, name)
  mkdirSync(at("disk"))
  symlinkSync(at("disk/new.db"), at("link.db"))
  expect(databaseOf(at("link.db"))?.says).toBe(`${at("disk")} can be written`)
  symlinkSync(at("loop.db"), at("loop.db"))
  // A disk that is not mounted.
  symlinkSync(at("elsewhere"), at("queue"))
  writeFileSync(at("file"), "")
  const bad = { "loop.db": "loop.db", "queue/track.db": "queue", "queue/more/track.db": "queue" }
  for (const [file, link] of Object.entries(bad))
    expect(databaseOf(at(file))).toMatchObject({
      fault: "disk_unusable",
      says: `${at(link)} is a link that leads nowhere`,
    })
  expect(databaseOf(at("file/track.db"))?.says).toBe(`${at("file")} is not a folder`)
})

test.skipIf(process.getuid?.() === 0)("a database that this user may not write is a fault", () => {
  using folder = temporaryFolder()
  const file = join(folder.path, "queue.db")
  writeFileSync(file, "", { mode: 0o400 })
  expect(databaseOf(file)?.says).toBe(`this user may not read and write ${file}`)
})

/** Root may look into every folder, unless it gives that up. */
const withoutRights =
  process.getuid?.() === 0
    ? ["setpriv", ...["--bounding-set", "--inh-caps"].map((set) => `${set}=-dac_override,-dac_read_search`)]
    : []

test.skipIf(withoutRights.length > 0 && Bun.which("setpriv") === null)(
  "a folder that this user may not look into is said, and not taken for one without a database",
  () => {
    using folder = temporaryFolder()
    const locked = join(folder.path, "locked")
    const file = join(locked, "queue.db")
    mkdirSync(locked)
    writeFileSync(file, "")
    chmodSync(locked, 0)
    const tried = (...args: string[]): string => {
      const { stdout, stderr } = Bun.spawnSync([...withoutRights, ...PROGRAM, ...args])
      return `${stdout}${stderr}`
    }
    expect(tried("doctor", "--database", file)).toContain(`this user may not write into ${locked}\n`)
    for (const args of [
      ["check", file],
      ["token", "list", "--database", file],
    ])
      expect(tried(...args)).toContain(`this user may not look for a database at ${file}: run this with sudo`)
    chmodSync(locked, 0o755)
  },
)

test("a database on PostgreSQL is not taken for a file of this machine", async () => {
  const { stdout } = await run(["doctor", "--database", "postgres://track:secret-word@db.studio/track"])
  expect(stdout).toContain(
    "• database             postgres://track@db.studio/track was not checked: a server",
  )
  expect(stdout).not.toMatch(/secret-word|can be written|^. disk|^. file system/m)
})

const SHM_TMPFS = 0x01021994
const hasMemoryDisk =
  process.platform === "linux" && statfsSync("/dev/shm", { bigint: false }).type === SHM_TMPFS

test.skipIf(!hasMemoryDisk)(
  "a database in memory is a fault, seen on this machine's own /dev/shm",
  async () => {
    const { code, stdout } = await run(["doctor", "--database", "/dev/shm/nowhere/queue.db", "--json"])
    expect(readFileSync("/proc/self/mountinfo", "utf8")).toContain(" /dev/shm ")
    expect(JSON.parse(stdout).findings).toContainEqual(expect.objectContaining({ fault: "disk_passing" }))
    expect(code).toBe(1)
  },
)

test.each([
  [["doctor", "ftp://box"], "URL must be an address"],
  [["doctor", "http://box", "more"], 'unexpected argument "more"'],
  [["doctor", "http://box", "--idle", "soon"], "--idle must be a whole number"],
])("wrong usage exits with 2: %s", async (args, said) => {
  const { code, stderr } = await run(args)
  expect([code, stderr]).toEqual([2, expect.stringContaining(said)])
})

test.each([
  ["127.0.0.1:1", "no answer from 127.0.0.1:1: nothing listens there"],
  ["http://no-such-name.invalid", "no answer from no-such-name.invalid: there is no such name"],
  ["https://127.0.0.1:1", "no TLS connection: nothing listens there"],
  ["https://no-such-name.invalid", "no TLS connection: there is no such name"],
])("an address at which nobody answers is a fault in words: %s", async (address, said) => {
  const { code, stdout } = await run(["doctor", address])
  expect([code, stdout]).toEqual([1, expect.stringContaining(said)])
  expect(stdout).toEndWith("\n1 fault.\n")
})

test("an address that was copied from the page is that of its server, and https of a server without it is said", async () => {
  await using server = await start()
  const { code, stdout } = await run(["doctor", `${server.url}/?view=all#item`, "--idle", "0", "--json"])
  const { findings }: { findings: { about: string; verdict: string }[] } = JSON.parse(stdout)
  expect(findings.filter(({ verdict }) => verdict === "good").map(({ about }) => about)).toContain(
    "WebSockets",
  )
  expect(code).toBe(0)
  const secure = await run(["doctor", server.url.replace("http:", "https:")])
  expect(secure.stdout).toContain("no TLS connection: what listens there speaks plain http")
})

test.skipIf(Bun.which("df") === null)(
  "free on a disk is what programs may still write, without the blocks that are reserved for others",
  async () => {
    using folder = temporaryFolder()
    const df = Bun.spawnSync(["df", "--block-size=1", "--output=avail", folder.path]).stdout.toString()
    const available = Number(df.split("\n")[1])
    // Other programs write meanwhile.
    expect(Math.abs(freeBytes(folder.path) - available)).toBeLessThan(2 * 1024 ** 3)
  },
)
