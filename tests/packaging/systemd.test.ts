import { expect, setDefaultTimeout, test } from "bun:test"
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"

import { figure, PROVE } from "../proof.ts"
import { temporaryFolder } from "../server.ts"

setDefaultTimeout(180_000)

const SYSTEMD = "/lib/systemd/systemd"
const ROOT = join(import.meta.dir, "../..")

const BOOT = join(import.meta.dir, "boot.sh")

const NAMESPACES = ["--mount", "--pid", "--cgroup", "--uts", "--ipc", "--net"] as const

const canBoot =
  process.getuid?.() === 0 &&
  existsSync(SYSTEMD) &&
  readFileSync("/proc/self/mountinfo", "utf8").includes(" - cgroup2 ") &&
  process.env["TRACK_STUDIO_BINARY"] !== undefined &&
  ["unshare", "ip", "curl", "ffmpeg"].every((tool) => Bun.which(tool) !== null) &&
  Bun.spawnSync(["unshare", ...NAMESPACES, "--fork", "mount", "-t", "tmpfs", "try", "/mnt"]).success

if (PROVE && !canBoot)
  console.warn("skipped: a systemd of our own needs root, the binary, unshare, ip, curl and ffmpeg")

const RENDER = `#!/bin/sh
ffmpeg -nostdin -v error -f lavfi -i testsrc=d=1:s=320x240 -y /srv/videos/song.mp4 || exit 1
! touch /srv/elsewhere 2>/dev/null || echo "LEAK: may write elsewhere"
! cat /var/lib/track-studio/track-studio.db >/dev/null 2>&1 || echo "LEAK: may read the queue"
! cat /etc/shadow >/dev/null 2>&1 || echo "LEAK: may read secrets"
`

const SCRIPT = `
ip link set lo up
cd /opt
VIDEOS=/srv/videos packaging/install.sh
until curl -sf http://127.0.0.1:8080/health; do sleep 0.1; done
track-studio add 7 --title song
stat -c 'queue %U %a' /var/lib/track-studio/track-studio.db
echo RENDER_COMMAND=/opt/render.sh >>/etc/track-studio/worker.env
packaging/install.sh
track-studio watch 1 --until finished --lines && echo RENDERED
stat -c 'video %U' /srv/videos/song.mp4
journalctl -u track-studio-worker --no-pager -o cat
track-studio doctor --database /var/lib/track-studio/track-studio.db
cp track-studio other; echo >>other
packaging/install.sh ./other
until curl -sf http://127.0.0.1:8080/health; do sleep 0.1; done
track-studio list
until systemctl is-active --quiet track-studio && systemctl is-active --quiet track-studio-worker; do sleep 0.1; done
echo BOTH ACTIVE
echo TRACK_STUDIO_PORT=none >>/etc/track-studio/server.env
systemctl restart track-studio
packaging/install.sh || echo CANNOT RUN
packaging/install.sh --uninstall --purge
systemctl is-active track-studio track-studio-worker || echo STOPPED
ls /srv/videos
`

/** A control group for a systemd of our own. It is removed with everything inside. */
function controlGroup(): { path: string; [Symbol.dispose]: () => void } {
  const mounted = / (\/\S+) [^-]*- cgroup2 /.exec(readFileSync("/proc/self/mountinfo", "utf8"))?.[1] ?? ""
  const own = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/"
  const path = join(mounted, own, `track-studio-test-${process.pid}`)
  mkdirSync(path)
  return {
    path,
    [Symbol.dispose]: () =>
      void Bun.spawnSync(["find", path, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"]),
  }
}

/** Boots a systemd that runs the script. Returns what the script printed. */
async function booted(script: string): Promise<string> {
  using folder = temporaryFolder()
  using group = controlGroup()
  const at = (name: string): string => join(folder.path, name)
  for (const name of ["copy", "opt"]) mkdirSync(at(name))
  cpSync(resolve(ROOT, process.env["TRACK_STUDIO_BINARY"] ?? ""), at("opt/track-studio"))
  cpSync(join(ROOT, "packaging"), at("opt/packaging"), { recursive: true })
  writeFileSync(at("opt/render.sh"), RENDER, { mode: 0o755 })
  writeFileSync(at("script"), script)
  // When the process in front is killed, the systemd is killed, too, with everything that it runs.
  const command = [
    ...["unshare", ...NAMESPACES, "--kill-child", "--fork"],
    "bash",
    BOOT,
    at("copy"),
    at("opt"),
    at("script"),
  ]
  const entering = ["bash", "-c", 'echo $$ >"$0/cgroup.procs"; exec "$@"', group.path]
  const boot = Bun.spawn([...entering, ...command], { stdin: "ignore", stdout: "ignore", stderr: "inherit" })
  const child = `/proc/${boot.pid}/task/${boot.pid}/children`
  const said = (): string => {
    try {
      return readFileSync(join("/proc", readFileSync(child, "utf8").trim(), "root", "opt", "out"), "utf8")
    } catch {
      return ""
    }
  }
  while (!said().endsWith("THE END\n") && boot.exitCode === null) await Bun.sleep(200)
  const all = said()
  boot.kill("SIGKILL")
  await boot.exited
  // The kernel ends the remaining processes before the group can be removed.
  while (readFileSync(join(group.path, "cgroup.events"), "utf8").includes("populated 1")) await Bun.sleep(50)
  return all
}

test.skipIf(!PROVE || !canBoot)(
  "under a real systemd the units start, render, are upgraded and removed",
  async () => {
    const startedMs = performance.now()
    const said = await booted(SCRIPT)
    figure(
      `systemd booted, installed, rendered, upgraded and uninstalled in ${((performance.now() - startedMs) / 1000).toFixed(0)} s`,
    )
    expect(said).toContain("track-studio is active\n")
    expect(said).toContain("queue track-studio 600\n")
    expect(said).toContain("CANNOT RUN\n")
    expect(said).toContain("\nRENDERED\nvideo track-studio\n")
    expect(said).not.toContain("LEAK")
    expect(said).toMatch(/^✔ track-studio +active \(running\)\n✔ track-studio-worker +active \(running\)$/m)
    expect(said).toContain("copied the queue to /var/lib/track-studio/backups/before-upgrade-")
    expect(said).toMatch(/^ 1 +7 +completed +100% .*song/m)
    expect(said).toContain("\nBOTH ACTIVE\n")
    expect(said).toContain("removed the user track-studio\n")
    expect(said).toMatch(/STOPPED\nsong\.mp4\nTHE END\n$/)
  },
)
