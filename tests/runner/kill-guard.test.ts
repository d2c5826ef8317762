import { afterAll, describe, expect, setDefaultTimeout, spyOn, test } from "bun:test"
import { existsSync, readdirSync, readFileSync } from "node:fs"

import * as backgroundWork from "../../src/background-work.ts"
import * as libc from "../../src/machine/libc.ts"
import { GUARD_SCRIPT, KillGuard } from "../../src/runner/kill-guard.ts"
import { ProcessTree } from "../../src/runner/process-tree.ts"
import { PROGRAM, start, temporaryFolder } from "../server.ts"
import { finished, itemOf, latestOf, processesWith, Program, studio } from "./programs.ts"

setDefaultTimeout(180_000)

const server = await start()
const folder = temporaryFolder()
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

let marks = 0
/** No other test sleeps for this number of seconds, so it identifies the processes of this one. */
const mark = (): string => `${70 + (marks += 1)}${process.pid}`
/**
 * A shell with these children: one in its own group, one in its own session, one that has also left its
 * parent, two that have also emptied their environment (with and without a parent), one that has also closed what
 * it inherited, and one that has nothing left by which it could be known but its parent. Some tests put this text
 * between single quotes.
 */
const family = (seconds: string): string =>
  `set -m; sleep ${seconds}1 & timeout 90 sleep ${seconds}2 & setsid sleep ${seconds}3 & ` +
  `setsid --fork sleep ${seconds}4; setsid env -i sleep ${seconds}5 & ` +
  `setsid --fork env -i sleep ${seconds}6 </dev/null >/dev/null 2>&1; ` +
  `setsid --fork env -i bash -c "for fd in {0..63}; do eval exec \\$fd\\<\\&-; done; exec sleep ${seconds}7"; ` +
  `(set +m; setsid env -i bash -c "ulimit -x 1; exec sleep ${seconds}8" & wait) & echo ready; wait`
const MEMBERS = 8
const running = (seconds: string): string[] =>
  processesWith(`sleep ${seconds}`).filter((line) => line.startsWith("sleep "))
/** The processes that guard the commands of one of our programs. */
const guardsOf = ({ child: { pid } }: { readonly child: { readonly pid: number } }): number[] =>
  readdirSync("/proc").flatMap((name) => {
    try {
      const line = readFileSync(`/proc/${name}/cmdline`, "latin1")
      const isGuard = line.includes("\0track-studio-guard\0") && line.endsWith(`\0${pid}\0`)
      return isGuard ? [Number(name)] : []
    } catch {
      return []
    }
  })

function guardOf(program: Program): number {
  const guards = guardsOf(program)
  expect(guards).toHaveLength(1)
  return guards[0] ?? 0
}

/** Resolves when a process has ended. */
async function ended(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`)) await Bun.sleep(10)
}

/** Resolves when no process of this family is left. */
async function gone(seconds: string): Promise<void> {
  while (running(seconds).length > 0) await Bun.sleep(10)
}

/** Resolves when all of them sleep. */
async function asleep(seconds: string): Promise<void> {
  while (running(seconds).length < MEMBERS) await Bun.sleep(10)
}

describe("a kill without warning", () => {
  test("of run ends its command and all that it started, in their own sessions too", async () => {
    const seconds = mark()
    await using render = studio(server, ["run", "--song", "1", "--", "bash", "-c", family(seconds)])
    await render.prints("ready")
    await asleep(seconds)
    const guard = guardOf(render)
    const startedMs = performance.now()
    render.kill("SIGKILL")
    await gone(seconds)
    expect(performance.now() - startedMs).toBeLessThan(5000)
    await ended(guard)
  })

  test("of work ends all of its commands", async () => {
    await using own = await start()
    const [one, other] = [mark(), mark()]
    await own.add({ song_id: Number(one) })
    await own.add({ song_id: Number(other) })
    const exec = `exec bash -c '${family("${TRACK_STUDIO_SONG_ID}")}'`
    await using worker = studio(own, ["work", "--concurrency", "2", "--exec", exec])
    await Promise.all([asleep(one), asleep(other)])
    worker.kill("SIGKILL")
    await Promise.all([gone(one), gone(other)])
  })

  test("ends a command that ignores SIGTERM, and one that is suspended", async () => {
    const seconds = mark()
    const script = `(trap '' TERM; while :; do sleep ${seconds}; done) & sleep ${seconds}9 & kill -STOP $!; echo ready; wait`
    await using render = studio(server, ["run", "--song", "2", "--", "bash", "-c", script])
    await render.prints("ready")
    render.kill("SIGKILL")
    await gone(seconds)
  })

  test("of work and of its guard leaves the rest to the worker that starts next", async () => {
    await using own = await start()
    const seconds = mark()
    const id = await own.add({ song_id: 1 })
    const exec = `if [ -e ${folder.path}/again ]; then exit 0; fi; touch ${folder.path}/again; exec bash -c '${family(seconds)}'`
    await using worker = studio(own, ["work", "--exec", exec])
    await asleep(seconds)
    process.kill(guardOf(worker), "SIGKILL")
    worker.kill("SIGKILL")
    await worker.ends()
    expect(running(seconds)).toHaveLength(MEMBERS)
    await using next = studio(own, ["work", "--exec", exec])
    expect(await finished(own, id)).toMatchObject({ status: "completed", attempt: 2 })
    expect(running(seconds)).toEqual([])
    next.kill("SIGTERM")
    expect(await next.ends()).toBe(0)
  })

  test("of work whose guard was killed before ends the commands that were started since", async () => {
    await using own = await start()
    const seconds = mark()
    const first = await own.add({ song_id: 1 })
    const exec = `if [ $TRACK_STUDIO_SONG_ID = 1 ]; then echo first; sleep 0.5; else exec bash -c '${family(seconds)}'; fi`
    await using worker = studio(own, ["work", "--exec", exec])
    await worker.prints("first")
    const guard = guardOf(worker)
    process.kill(guard, "SIGKILL")
    await ended(guard)
    expect(await finished(own, first)).toMatchObject({ status: "completed" })
    await own.add({ song_id: 2 })
    await asleep(seconds)
    worker.kill("SIGKILL")
    await gone(seconds)
  })

  test("of a run whose guard was killed meanwhile ends the command in hand", async () => {
    const seconds = mark()
    await using render = studio(server, ["run", "--song", "7", "--", "bash", "-c", family(seconds)])
    await render.prints("ready")
    await asleep(seconds)
    const guard = guardOf(render)
    process.kill(guard, "SIGKILL")
    await ended(guard)
    while (guardsOf(render).length === 0) await Bun.sleep(20)
    render.kill("SIGKILL")
    await gone(seconds)
  })

  test("of work ends what the command of a run inside its script left behind", async () => {
    await using own = await start()
    const seconds = mark()
    await own.add({ song_id: 1 })
    // The inner command ends by itself, because nobody reads what it prints any more.
    const command = `setsid --fork env -i sleep ${seconds} </dev/null >/dev/null 2>&1; while echo line; do sleep 0.05; done`
    const exec = [...PROGRAM, "run", "--", "bash", "-c", `'${command}'`].join(" ")
    await using worker = studio(own, ["work", "--exec", exec])
    await worker.prints("line")
    while (running(seconds).length === 0) await Bun.sleep(10)
    worker.kill("SIGKILL")
    await gone(seconds)
  })

  test("of a run inside a worker's script ends its own command, and not the script", async () => {
    await using own = await start()
    const seconds = mark()
    const id = await own.add({ song_id: 1 })
    const inner = [...PROGRAM, "run", "--", "sleep", seconds].join(" ")
    const exec = `${inner} & until kill -0 $(pgrep -f '^sleep ${seconds}$') 2>/dev/null; do sleep 0.05; done; kill -KILL $!; wait $!; echo code $?; while pgrep -f '^sleep ${seconds}$' >/dev/null; do sleep 0.05; done; echo gone`
    await using worker = studio(own, ["work", "--exec", exec])
    await worker.prints("gone")
    expect(await finished(own, id)).toMatchObject({ status: "completed" })
    worker.kill("SIGTERM")
    await worker.ends()
    expect((await worker.stdout).toString()).toBe("code 137\ngone\n")
  })
})

test("a process that a command left behind on purpose goes on after a run that ends by itself, and no guard stays", async () => {
  const seconds = mark()
  const script = `setsid sleep ${seconds} >/dev/null 2>&1 </dev/null & echo left; read line`
  const args = ["run", "--song", "3", "--", "sh", "-c", script]
  await using render = studio(server, args, { stdin: "pipe" })
  await render.prints("left")
  const guard = guardOf(render)
  render.type("go on\n")
  expect(await render.ends()).toBe(0)
  await ended(guard)
  expect(running(seconds)).toHaveLength(1)
  await using _left = new Program(["pkill", "-f", `^sleep ${seconds}$`], "")
  await gone(seconds)
})

test("a cancel also ends what took a session of its own", async () => {
  const seconds = mark()
  await using render = studio(server, ["run", "--song", "4", "--", "bash", "-c", family(seconds)])
  await render.prints("ready")
  await asleep(seconds)
  const id = await latestOf(server, 4)
  await server.api("POST", `/queue/${id}/cancel`)
  await render.ends()
  expect(running(seconds)).toEqual([])
  expect(await itemOf(server, id)).toMatchObject({ outcome: "cancelled" })
})

test("a cancel also ends what took a session of its own and emptied its environment", async () => {
  const seconds = mark()
  const script = `env -i setsid sleep ${seconds}1 & sleep ${seconds}2 & echo ready; wait`
  await using render = studio(server, ["run", "--song", "6", "--", "sh", "-c", script])
  await render.prints("ready")
  while (running(seconds).length < 2) await Bun.sleep(10)
  const id = await latestOf(server, 6)
  await server.api("POST", `/queue/${id}/cancel`)
  await render.ends()
  expect(running(seconds)).toEqual([])
})

test("a process that was found once is ended, even if nothing shows any more to which command it belongs", async () => {
  const seconds = mark()
  // Its parent ends at the first signal, but the process itself ignores the signal.
  const script = `env -i setsid sh -c "trap '' TERM; sleep ${seconds}1" & sleep ${seconds}2; true`
  const child = Bun.spawn(["sh", "-c", script], { detached: true })
  while (running(seconds).length < 2) await Bun.sleep(10)
  await new ProcessTree(child.pid, "a mark that nobody has").stop(300)
  expect(running(seconds)).toEqual([])
  await child.exited
})

test("a command whose environment was emptied ends with its session", async () => {
  const seconds = mark()
  const script = `env -i sleep ${seconds}1 & sleep ${seconds}2 & echo ready; wait`
  await using render = studio(server, ["run", "--song", "5", "--", "sh", "-c", script])
  await render.prints("ready")
  while (running(seconds).length < 2) await Bun.sleep(10)
  render.kill("SIGKILL")
  await gone(seconds)
})

test("a guard that is killed is replaced, for the first command and for a later one", async () => {
  const guard = new KillGuard()
  for (let command = 0; command < 2; command += 1) {
    using _watched = guard.watch()
    while (guardsOf({ child: process }).length === 0) await Bun.sleep(5)
    const guards = guardsOf({ child: process })
    for (const pid of guards) process.kill(pid, "SIGKILL")
    for (const pid of guards) await ended(pid)
    // If none comes, the test runs out of time.
    while (guardsOf({ child: process }).length === 0) await Bun.sleep(5)
  }
})

test("a command can be watched although its guard was killed, and no other can be started now", async () => {
  const guard = new KillGuard()
  const guards = guardsOf({ child: process })
  for (const pid of guards) process.kill(pid, "SIGKILL")
  for (const pid of guards) await ended(pid)
  {
    using _pipe = spyOn(libc, "pipe").mockReturnValue(undefined)
    for (let i = 0; i < 2; i += 1) guard.watch()[Symbol.dispose]()
  }
  using _watched = guard.watch()
  // A process that has only just begun is not a guard yet. If none comes, the test runs out of time.
  while (guardsOf({ child: process }).length === 0) await Bun.sleep(5)
})

test("whether the guard still runs is looked at while a command is watched, and no longer", () => {
  const looks = { begun: 0, ended: 0 }
  using _every = spyOn(backgroundWork, "every").mockImplementation(() => {
    looks.begun += 1
    return { stop: async () => void (looks.ended += 1) }
  })
  using _pipe = spyOn(libc, "pipe").mockReturnValue(undefined)
  const guard = new KillGuard()
  const [one, other] = [guard.watch(), guard.watch()]
  one[Symbol.dispose]()
  expect(looks).toEqual({ begun: 1, ended: 0 })
  other[Symbol.dispose]()
  expect(looks).toEqual({ begun: 1, ended: 1 })
  guard.watch()[Symbol.dispose]()
  expect(looks).toEqual({ begun: 2, ended: 2 })
})

test("a guard that cannot be started leaves no pipe open", () => {
  const open = (): number => readdirSync("/proc/self/fd").length
  const before = open()
  using _spawn = spyOn(Bun, "spawn").mockImplementation(() => {
    throw new Error("Resource temporarily unavailable")
  })
  for (let i = 0; i < 3; i += 1) new KillGuard()
  expect(open()).toBeLessThanOrEqual(before)
})

test("a command that ignores SIGTERM is killed after two seconds also if the machine is so busy that each look at it takes one", async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const stubborn = Bun.spawn(["bash", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"], {
    ...{ detached: true, stdout: "pipe" },
    onExit: () => resolve(),
  })
  await stubborn.stdout.getReader().read()
  const slow = `grep() { sleep 0.5; command grep "$@"; }\n${GUARD_SCRIPT}`
  const stdin = Buffer.from(`1:999999999:${stubborn.pid}\n`)
  const guard = Bun.spawn(["/bin/sh", "-c", slow, "guard", crypto.randomUUID()], { stdin })
  const startedMs = performance.now()
  await promise
  expect(stubborn.signalCode).toBe("SIGKILL")
  // Ten looks would take twelve seconds.
  expect(performance.now() - startedMs).toBeLessThan(9000)
  expect(performance.now() - startedMs).toBeGreaterThan(2000)
  await guard.exited
})
