import { expect, setDefaultTimeout, test } from "bun:test"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"

import { run, temporaryFolder } from "../server.ts"
import { install, programIn, ROOT, SCRIPT } from "./installing.ts"

setDefaultTimeout(180_000)

/** All files below a folder, by their paths. */
const filesIn = (root: string): string[] =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => `${parentPath.slice(root.length)}/${name}`)
    .sort()

const SETTINGS = ["/etc/track-studio/server.env", "/etc/track-studio/worker.env"]
const UNITS = ["/etc/systemd/system/track-studio-worker.service", "/etc/systemd/system/track-studio.service"]
const PROGRAM_PATH = "/usr/local/bin/track-studio"
const ALL = [
  ...UNITS,
  ...SETTINGS,
  "/usr/lib/sysusers.d/track-studio.conf",
  PROGRAM_PATH,
  "/usr/local/share/bash-completion/completions/track-studio",
  "/usr/local/share/zsh/site-functions/_track-studio",
].sort()

test("it installs everything that is needed, corrects what was changed, and removes everything again", () => {
  using folder = temporaryFolder()
  const root = join(folder.path, "root")
  const program = programIn(folder.path, "1")
  const first = install(root, [program])
  expect([first.code, filesIn(root)]).toEqual([0, ALL])
  expect(first.said).toMatch(/^track-studio 1 is installed; next: /m)
  expect(statSync(root + PROGRAM_PATH).mode & 0o777).toBe(0o755)
  for (const file of ALL) expect(statSync(join(root, file, "..")).mode & 0o777).toBe(0o755)
  // Settings may contain tokens and secrets.
  for (const file of SETTINGS) expect(statSync(root + file).mode & 0o777).toBe(0o600)

  const before = ALL.map((file) => statSync(root + file).ino)
  expect(install(root, [program])).toEqual({
    code: 0,
    said: expect.stringMatching(/^nothing had to be changed\n.* is installed; .*\n$/),
  })
  expect(ALL.map((file) => statSync(root + file).ino)).toEqual(before)

  // Rights that were changed since are corrected. Settings may be read by a group.
  const changed = { [PROGRAM_PATH]: 0o644, [SETTINGS[0] ?? ""]: 0o604, [SETTINGS[1] ?? ""]: 0o640 }
  for (const [path, mode] of Object.entries(changed)) chmodSync(root + path, mode)
  const corrected = `corrected the rights of ${SETTINGS[0]}\ncorrected the rights of ${PROGRAM_PATH}\n`
  expect(install(root, [program]).said).toStartWith(`${corrected}track-studio 1 is installed`)
  const modes = Object.keys(changed).map((path) => statSync(root + path).mode & 0o777)
  expect(modes).toEqual([0o755, 0o600, 0o640])

  const gone = install(root, ["--uninstall"])
  expect([gone.code, filesIn(root)]).toEqual([0, SETTINGS])
  expect(gone.said).toContain("kept /etc/track-studio, /var/lib/track-studio")
  const kept = "kept /etc/track-studio, /var/lib/track-studio; --uninstall --purge removes them, too\n"
  expect(install(root, ["--uninstall"])).toEqual({ code: 0, said: `nothing had to be removed\n${kept}` })
  expect(install(root, ["--uninstall", "--purge"]).code).toBe(0)
  expect(filesIn(root)).toEqual([])
  const nothing = { code: 0, said: "nothing had to be removed\n" }
  expect(install(root, ["--uninstall", "--purge"])).toEqual(nothing)
})

test("an upgrade keeps settings, the queue as it was, and the former program", async () => {
  using folder = temporaryFolder()
  const root = join(folder.path, "root")
  const [old, next] = [programIn(folder.path, "1"), programIn(folder.path, "2")]
  install(root, [old])
  const settings = `${root}/etc/track-studio/server.env`
  writeFileSync(settings, "TRACK_STUDIO_PORT=9000\n")
  const database = `${root}/var/lib/track-studio/track-studio.db`
  expect((await run(["token", "create", "--role", "admin", "--database", database])).code).toBe(0)

  const { code, said } = install(root, [next])
  const [backup = ""] = readdirSync(`${root}/var/lib/track-studio/backups`)
  expect(code).toBe(0)
  expect(backup).toMatch(/^before-upgrade-\d{8}T\d{6}Z\.db$/)
  expect(said).toContain(`copied the queue to /var/lib/track-studio/backups/${backup}`)
  expect((await run(["check", join(root, "var/lib/track-studio/backups", backup)])).code).toBe(0)
  expect(readFileSync(settings, "utf8")).toBe("TRACK_STUDIO_PORT=9000\n")
  expect(readFileSync(root + PROGRAM_PATH, "utf8")).toBe(readFileSync(next, "utf8"))
  expect(readFileSync(`${root}${PROGRAM_PATH}.previous`, "utf8")).toBe(readFileSync(old, "utf8"))

  // Copies of many upgrades would fill the disk.
  const copies = `${root}/var/lib/track-studio/backups`
  const times = [1, 2, 3].map((month) => `before-upgrade-20260${month}01T000000Z.db`)
  for (const name of [...times, "mine.db"]) writeFileSync(join(copies, name), "")
  expect(install(root, [old]).said).toContain(`removed /var/lib/track-studio/backups/${times[1]}\n`)
  expect(readdirSync(copies).sort()).toEqual([times[2], backup, expect.any(String), "mine.db"])
})

test("an upgrade copies the queue that the settings name, wherever it is", async () => {
  using folder = temporaryFolder()
  const root = join(folder.path, "root")
  const [old, next, last] = [1, 2, 3].map((label) => programIn(folder.path, String(label)))
  install(root, [old ?? ""])
  const settings = `${root}/etc/track-studio/server.env`
  mkdirSync(`${root}/srv/queue`, { recursive: true })
  const database = `${root}/srv/queue/songs.db`
  expect((await run(["token", "create", "--role", "admin", "--database", database])).code).toBe(0)
  writeFileSync(settings, 'TRACK_STUDIO_DATABASE=/old.db\nTRACK_STUDIO_DATABASE="/srv/queue/songs.db"\n')
  const { said } = install(root, [next ?? ""])
  const [backup = ""] = readdirSync(`${root}/var/lib/track-studio/backups`)
  expect(said).toContain(`copied the queue to /var/lib/track-studio/backups/${backup}`)
  expect(said).toContain("doctor --database /srv/queue/songs.db\n")
  const tokens = ["token", "list", "--database", join(root, "var/lib/track-studio/backups", backup)]
  expect((await run(tokens)).stdout).toContain("admin")
  // The password of an address is never printed.
  writeFileSync(settings, "TRACK_STUDIO_DATABASE=postgres://track:secret@db/track\n")
  const after = install(root, [last ?? ""])
  expect([after.code, after.said]).toEqual([0, expect.stringContaining("pg_dump")])
  expect(after.said).not.toContain("secret")
  writeFileSync(settings, "TRACK_STUDIO_DATABASE=/srv/queue/songs.db\n")
  const gone = install(root, ["--uninstall", "--purge"])
  expect(gone.said).toEndWith("kept the queue /srv/queue/songs.db, which is not in /var/lib/track-studio\n")
  expect(existsSync(database)).toBeTrue()
})

test("an upgrade that cannot copy the queue changes nothing", () => {
  using folder = temporaryFolder()
  const root = join(folder.path, "root")
  const [old, next] = [programIn(folder.path, "1"), programIn(folder.path, "2")]
  install(root, [old])
  writeFileSync(`${root}/var/lib/track-studio/track-studio.db`, "no database")
  const { code, said } = install(root, [next])
  expect([code, said]).toEqual([1, expect.stringContaining("could not be copied")])
  expect(readFileSync(root + PROGRAM_PATH, "utf8")).toBe(readFileSync(old, "utf8"))
})

test("a program that is too old for the queue is not installed, and the way back is named", async () => {
  using folder = temporaryFolder()
  const root = join(folder.path, "root")
  const [now, old] = [programIn(folder.path, "2"), join(folder.path, "track-studio-1")]
  install(root, [now])
  const database = `${root}/var/lib/track-studio/track-studio.db`
  expect((await run(["token", "create", "--role", "admin", "--database", database])).code).toBe(0)
  writeFileSync(
    old,
    `#!/bin/sh
    case $1 in
      --version) echo "track-studio 1" ;;
      check) echo "track-studio: $2 was made by a newer version; use that one for it" >&2; exit 1 ;;
    esac`,
    { mode: 0o755 },
  )
  const { code, said } = install(root, [old])
  expect([code, said]).toEqual([1, expect.stringContaining("is too old for the queue")])
  expect(said).toContain("nothing was changed")
  expect(readdirSync(`${root}/var/lib/track-studio/backups`)).toEqual([])
  expect(readFileSync(root + PROGRAM_PATH, "utf8")).toBe(readFileSync(now, "utf8"))
  expect(existsSync(`${root}${PROGRAM_PATH}.previous`)).toBeFalse()
})

test("PREFIX is remembered, by an upgrade and when all is taken away; another one moves the program", async () => {
  using folder = temporaryFolder()
  const root = join(folder.path, "root")
  const [old, next] = [programIn(folder.path, "1"), programIn(folder.path, "2")]
  expect(install(root, [old], { PREFIX: "/opt/studio" }).code).toBe(0)
  const database = `${root}/var/lib/track-studio/track-studio.db`
  expect((await run(["token", "create", "--role", "admin", "--database", database])).code).toBe(0)
  const upgraded = install(root, [next], { PREFIX: "" })
  expect(upgraded.said).toContain("copied the queue to ")
  expect(readFileSync(`${root}/opt/studio/bin/track-studio`, "utf8")).toBe(readFileSync(next, "utf8"))
  const moved = install(root, [old], { PREFIX: "/usr/local" })
  expect(moved.said).toContain("copied the queue to ")
  expect(readFileSync(`${root}${PROGRAM_PATH}.previous`, "utf8")).toBe(readFileSync(next, "utf8"))
  expect(filesIn(root).filter((path) => path.startsWith("/opt"))).toEqual([])
  expect(install(root, [next], { PREFIX: "/opt/studio" }).code).toBe(0)
  expect(install(root, ["--uninstall", "--purge"], { PREFIX: "" }).code).toBe(0)
  expect(filesIn(root)).toEqual([])
})

test.each([
  [
    "that says it is another one",
    "#!/bin/sh\necho 'ls (coreutils) 9.1'",
    "is another program: ls (coreutils) 9.1",
  ],
  ["that is none", "track-studio", "is not a program of Linux"],
])("a file %s is not installed", (_name, text, said) => {
  using folder = temporaryFolder()
  const [root, file] = [join(folder.path, "root"), join(folder.path, "other")]
  writeFileSync(file, text, { mode: 0o755 })
  expect(install(root, [file])).toEqual({ code: 1, said: expect.stringContaining(said) })
  expect(existsSync(root)).toBeFalse()
})

test("the former program may be put back from where the upgrade left it", () => {
  using folder = temporaryFolder()
  const root = join(folder.path, "root")
  const [old, next] = [programIn(folder.path, "1"), programIn(folder.path, "2")]
  install(root, [old])
  install(root, [next])
  const { code, said } = install(root, [`${root}${PROGRAM_PATH}.previous`])
  expect([code, said]).toEqual([0, expect.stringContaining("track-studio 1 is installed")])
  expect(readFileSync(root + PROGRAM_PATH, "utf8")).toBe(readFileSync(old, "utf8"))
  expect(readFileSync(`${root}${PROGRAM_PATH}.previous`, "utf8")).toBe(readFileSync(next, "utf8"))
})

test("a bare file name means the file in this folder, and not a program of that name elsewhere", () => {
  using folder = temporaryFolder()
  const root = join(folder.path, "root")
  programIn(folder.path, "1")
  const { said } = install(root, ["track-studio-1"], {}, folder.path)
  expect(said).toContain("track-studio 1 is installed")
})

test.each([
  [{ PREFIX: "opt/studio" }, "PREFIX must be whole paths, not opt/studio"],
  [{ PREFIX: "/opt/two words" }, "in it: /opt/two words"],
  [{ PREFIX: "/opt/50%" }, "in it: /opt/50%"],
  [{ VIDEOS: "/srv/videos srv/more" }, "VIDEOS must be whole paths, not srv/more"],
  [{ VIDEOS: "/srv/100%" }, "in it: /srv/100%"],
])("a path that a unit cannot name is refused, and nothing is changed: %j", (variables, said) => {
  using folder = temporaryFolder()
  const root = join(folder.path, "root")
  const program = programIn(folder.path, "1")
  const refused = install(root, [program], variables)
  expect(refused).toEqual({ code: 2, said: expect.stringContaining(said) })
  expect(existsSync(root)).toBeFalse()
})

test("VIDEOS names folders that workers may write, and is remembered", () => {
  using folder = temporaryFolder()
  const root = join(folder.path, "root")
  const program = programIn(folder.path, "1")
  const first = install(root, [program], { VIDEOS: "/srv/videos /srv/more" })
  expect(first.code).toBe(0)
  expect(first.said).toContain("installed, give /srv/more to the user track-studio\n")
  const dropin = `${root}/etc/systemd/system/track-studio-worker.service.d/videos.conf`
  const text = readFileSync(dropin, "utf8")
  expect(text).toContain("[Service]\nReadWritePaths=-/srv/videos\nReadWritePaths=-/srv/more\n")
  expect(existsSync(`${root}/srv/videos`)).toBeTrue()
  expect(install(root, [program]).said).toContain("nothing had to be changed")
  expect(install(root, ["--uninstall"]).said).toContain("track-studio-worker.service.d/videos.conf, ")
  expect(install(root, [program]).code).toBe(0)
  expect(readFileSync(dropin, "utf8")).toBe(text)
  // A command that names no folder writes its videos into that of the worker.
  const own = "/var/lib/track-studio-worker"
  mkdirSync(`${root}${own}/.state`, { recursive: true })
  const videos = ["/srv/videos/song.mp4", `${own}/song.mp4`]
  for (const file of [...videos, `${own}/.state/lease`]) writeFileSync(root + file, "")
  const gone = install(root, ["--uninstall", "--purge"])
  expect(gone).toEqual({ code: 0, said: expect.stringContaining(`kept ${own}, in which `) })
  expect(filesIn(root)).toEqual(videos)
})

test.each([
  [["--uninstal"], 2, "unknown flag --uninstal"],
  [["--purge"], 2, "--purge goes with --uninstall"],
  [["a", "b"], 2, "unexpected argument b"],
  [["/nowhere/track-studio"], 1, "there is no file /nowhere/track-studio"],
])("wrong usage changes nothing: %s", (args, code, said) => {
  using folder = temporaryFolder()
  expect(install(folder.path, args)).toEqual({ code, said: expect.stringContaining(said) })
  expect(readdirSync(folder.path)).toEqual([])
})

test("a folder that an installation was cut off at is finished by the next one", () => {
  using folder = temporaryFolder()
  const root = join(folder.path, "root")
  const [slow, program] = [join(folder.path, "bin"), programIn(folder.path, "1")]
  mkdirSync(slow)
  // The script ends where it would give the folder its rights.
  writeFileSync(
    join(slow, "chmod"),
    '#!/bin/sh\ncase $2 in */srv/videos*) kill -9 $PPID ;; esac\nexec /bin/chmod "$@"\n',
    { mode: 0o755 },
  )
  const variables = { VIDEOS: "/srv/videos" }
  expect(install(root, [program], { ...variables, PATH: `${slow}:${process.env["PATH"]}` }).code).not.toBe(0)
  expect(install(root, [program], variables).said).toContain("made /srv/videos")
  expect(statSync(`${root}/srv/videos`).mode & 0o777).toBe(0o775)
  expect(readdirSync(`${root}/srv`)).toEqual(["videos"])
})

/** Runs a command in a copy of this machine whose writes stay in memory and are thrown away. */
const IN_A_COPY = `set -e
mount -t tmpfs tmpfs "$1"; mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount --bind "$2" "$1/root$2"; mount --bind "$3" "$1/root$3"; mount -t proc proc "$1/root/proc"
exec chroot "$1/root" sh -euc "$4"`

const copies = (): boolean => {
  using folder = temporaryFolder()
  const command = ["unshare", "--mount", "bash", "-c", IN_A_COPY, "-", folder.path, "/tmp", "/tmp", "true"]
  return process.getuid?.() === 0 && Bun.which("unshare") !== null && Bun.spawnSync(command).success
}

test.skipIf(!copies())(
  "as root, in a copy of this machine, it makes the user and gives it its folder",
  () => {
    using folder = temporaryFolder()
    using copy = temporaryFolder()
    const program = programIn(folder.path, "1")
    const script = `
    sh ${SCRIPT} ${program}
    sh ${SCRIPT} ${program} | grep -q 'nothing had to be changed'
    track-studio --version
    mkdir -m 700 /srv/mine; VIDEOS="/srv/mine /srv/ours" sh ${SCRIPT} ${program} | grep 'may not write'
    stat -c '%U %a' /var/lib/track-studio
    sh ${SCRIPT} --uninstall --purge
    ! getent passwd track-studio && ! test -e /var/lib/track-studio && ! test -e /usr/local/bin/track-studio`
    const { exitCode, stdout, stderr } = Bun.spawnSync(
      ["unshare", "--mount", "bash", "-c", IN_A_COPY, "-", copy.path, ROOT, folder.path, script],
      { env: { ...process.env, VIDEOS: "", DESTDIR: "", PREFIX: "/usr/local" } },
    )
    expect([exitCode, `${stdout}${stderr}`]).toEqual([0, expect.stringContaining("track-studio 750\n")])
    expect(`${stdout}`).toContain("made the user track-studio\n")
    expect(`${stdout}`.match(/.* may not write .*/g)).toEqual([
      "the user track-studio may not write to /srv/mine yet: change its owner, or its rights",
    ])
    expect(`${stdout}`).toContain("systemd does not run here; start it by: /usr/local/bin/track-studio serve")
    expect(existsSync("/usr/lib/sysusers.d/track-studio.conf")).toBeFalse()
  },
)

/** Answers like systemctl where systemd rules, and prints what it starts. The unit runs in a process of the test. */
const SYSTEMCTL = `#!/bin/sh
case "$*" in
  "show -P MainPID track-studio") cat /tmp/running ;;
  "show -P NeedDaemonReload"*) cat /tmp/changed ;;
  is-active*) [ ! -e /tmp/down ] ;;
  start* | restart*) echo "$*"; rm -f /tmp/down ;;
esac`

/** A program that says its version, or runs until it is ended. */
const RUNNING = `#include <stdio.h>
#include <unistd.h>
int main(int count, char **args) { return args[1][0] == 'r' ? pause() : puts("track-studio 1") < 0; }`

test.skipIf(!copies() || Bun.which("gcc") === null)(
  "what runs is restarted if an installation was cut off before, and then no more; what does not run is started",
  () => {
    using folder = temporaryFolder()
    using copy = temporaryFolder()
    const at = (name: string): string => join(folder.path, name)
    writeFileSync(at("program.c"), RUNNING)
    expect(Bun.spawnSync(["gcc", "-o", at("program"), at("program.c")]).exitCode).toBe(0)
    writeFileSync(at("systemctl"), SYSTEMCTL, { mode: 0o755 })
    symlinkSync("/bin/true", at("sleep"))
    const script = `
    PATH=${folder.path}:$PATH
    mkdir -p /run/systemd/system; echo 0 >/tmp/running; echo no >/tmp/changed
    again() { sh ${SCRIPT} ${at("program")} | grep -E '^(re)?start|^nothing'; }
    touch /tmp/down; again; /bin/sleep 60 & other=$!; echo $other >/tmp/running; again
    kill $other
    /usr/local/bin/track-studio r & echo $! >/tmp/running; again
    echo yes >/tmp/changed; again
    echo no >/tmp/changed; touch /tmp/down; again
    kill $(cat /tmp/running)`
    const { exitCode, stdout, stderr } = Bun.spawnSync(
      ["unshare", "--mount", "bash", "-c", IN_A_COPY, "-", copy.path, ROOT, folder.path, script],
      { env: { ...process.env, VIDEOS: "", DESTDIR: "", PREFIX: "/usr/local" } },
    )
    expect([exitCode, `${stderr}`]).toEqual([0, ""])
    const restarted = "restart track-studio\nrestarted track-studio\n"
    expect(`${stdout}`).toBe(
      `restart track-studio\nstarted track-studio\n${restarted}start track-studio\nnothing had to be changed\n${restarted}start track-studio\nstarted track-studio\n`,
    )
  },
)
