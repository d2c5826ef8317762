import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"

import { PROGRAM, start, temporaryFolder } from "../server.ts"
import { unreadPipe } from "../unread-pipe.ts"
import { finished, itemOf, latestOf, Program, studio, until } from "./programs.ts"

setDefaultTimeout(180_000)

const server = await start()
const folder = temporaryFolder()
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const run = (...args: string[]): Program => studio(server, ["run", ...args])
const shell = (song: number, script: string): Program =>
  run("--song", String(song), "--", "bash", "-c", script)

describe("the exit code", () => {
  test.each([
    [0, "completed"],
    [1, "retrying"],
    [3, "retrying"],
    [64, "failed"],
    [255, "retrying"],
  ])("%d is ours too, and leaves the item %s", async (code, status) => {
    const id = await server.add({ song_id: 1 })
    await using render = run("--item", String(id), "--", "sh", "-c", `echo going >&2; exit ${code}`)
    expect(await render.ends()).toBe(code)
    const error_message = code === 0 ? "" : `the command ended with code ${code}\ngoing`
    expect(await itemOf(server, id)).toMatchObject({ status, error_message })
  })

  test("of a command inside a command is the same", async () => {
    await using render = run(
      "--song",
      "2",
      "--",
      ...PROGRAM,
      "run",
      "--",
      "sh",
      "-c",
      "echo 49%; echo 50%; exit 9",
    )
    expect(await render.ends()).toBe(9)
    expect(await finished(server, await latestOf(server, 2))).toMatchObject({
      status: "failed",
      progress: 50,
    })
  })
})

describe("a signal", () => {
  const ENDING = ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const

  test.each([...ENDING, "SIGQUIT"] as const)("%s reaches the command", async (signal) => {
    await using render = shell(
      3,
      `trap 'echo got it; exit 7' ${signal}; echo ready; while :; do sleep 0.02; done`,
    )
    await render.prints("ready")
    render.kill(signal)
    expect(await render.ends()).toBe(7)
    expect((await render.stdout).toString()).toBe("ready\ngot it\n")
  })

  test.each(ENDING)("%s that ends the command ends us", async (signal) => {
    await using render = shell(4, "echo ready; exec sleep 60")
    await render.prints("ready")
    render.kill(signal)
    await render.ends()
    expect(render.child.signalCode).toBe(signal)
    // Whoever presses Ctrl-C does not want the render any more, and no other worker knows its command.
    expect(await finished(server, await latestOf(server, 4))).toMatchObject({
      error_message: `the command was ended by ${signal}`,
      outcome: signal === "SIGINT" ? "cancelled" : "failed",
    })
  })

  test.each(["SIGUSR1", "SIGUSR2"] as const)("%s that the command handles ends nothing", async (signal) => {
    await using render = shell(
      15,
      `trap 'echo got it; go=1' ${signal}; echo ready; until [ "$go" ]; do sleep 0.02; done; exit 3`,
    )
    await render.prints("ready")
    render.kill(signal)
    expect(await render.ends()).toBe(3)
    expect((await render.stdout).toString()).toBe("ready\ngot it\n")
    const { error_message } = await finished(server, await latestOf(server, 15))
    expect(error_message).toMatch(/^the command ended with code 3(\n|$)/)
  })

  test("that ends the command from elsewhere gives the exit code of a shell", async () => {
    await using render = shell(5, "kill -KILL $$")
    expect(await render.ends()).toBe(137)
    const { error_message } = await finished(server, await latestOf(server, 5))
    expect(error_message).toBe("the command was ended by SIGKILL")
  })

  test("SIGHUP is ignored where nohup says so", async () => {
    const script = "echo ready; sleep 0.5; echo done"
    await using render = new Program(
      ["nohup", ...PROGRAM, "run", "--song", "6", "--", "bash", "-c", script],
      server.url,
    )
    await render.prints("ready")
    render.kill("SIGHUP")
    expect(await render.ends()).toBe(0)
    expect((await render.stdout).toString()).toBe("ready\ndone\n")
  })

  test.each(["run", "work"])(
    "SIGTSTP halts the command of %s with it, and SIGCONT lets both go on",
    async (by) => {
      const go = join(folder.path, `go-${by}`)
      // A shell that is stopped while it starts a program shows another state, so it starts none.
      const script = `echo "pid $$"; while [ ! -e ${go} ]; do :; done; echo done`
      if (by === "work") await server.add({ song_id: 7, priority: 1 })
      await using render = by === "run" ? shell(7, script) : studio(server, ["work", "--exec", script])
      await render.prints("pid ")
      const id = await latestOf(server, 7)
      const { worker } = await itemOf(server, id)
      expect(worker).not.toBe("")
      render.kill("SIGTSTP")
      const state = (pid: number): string =>
        /^State:\s(\w)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? ""
      while (state(render.child.pid) !== "T") await Bun.sleep(1)
      const children = readFileSync(`/proc/${render.child.pid}/task/${render.child.pid}/children`, "latin1")
      const pids = children.trim().split(" ").map(Number)
      while (!pids.some((pid) => state(pid) === "T")) await Bun.sleep(1)
      await Bun.write(go, "")
      render.kill("SIGCONT")
      if (by === "work") {
        expect(await finished(server, id)).toMatchObject({ status: "completed", attempt: 1 })
        render.kill("SIGTERM")
      }
      expect(await render.ends()).toBe(0)
      expect((await render.stdout).toString()).toEndWith("done\n")
    },
  )
})

describe("the output", () => {
  test("keeps every byte, whatever it is", async () => {
    const random = join(folder.path, "random")
    const script = `
      head -c 3000000 /dev/urandom | tee ${random}
      printf '\\377\\000 50%%\\r51%%\\r\\n\\033[31mred' >&2
      echo named >/dev/stderr; echo and named >/dev/stdout`
    await using render = shell(8, script)
    expect(await render.ends()).toBe(0)
    const bytes = Buffer.from(await Bun.file(random).bytes())
    expect((await render.stdout).equals(Buffer.concat([bytes, Buffer.from("and named\n")]))).toBe(true)
    expect(await render.stderr).toEqual(Buffer.from("\xff\0 50%\r51%\r\n\x1b[31mrednamed\n", "latin1"))
    expect(
      (await until(server, await latestOf(server, 8), ({ status }) => status === "completed")).progress,
    ).toBe(100)
  })

  test("can be opened by name though the folder for temporary files is missing", async () => {
    const args = ["run", "--song", "8", "--", "bash", "-c", "echo named >/dev/stderr"]
    await using render = studio(server, args, { env: { TMPDIR: join(folder.path, "missing") } })
    expect(await render.ends()).toBe(0)
    expect((await render.stderr).toString()).toBe("named\n")
  })

  test("keeps its order where both outputs are one", async () => {
    const script = "for i in 1 2 3 4 5 6 7 8 9; do echo out $i; echo err $i >&2; done"
    const line = [...PROGRAM, "run", "--song", "9", "--", "bash", "-c", `'${script}'`].join(" ")
    await using render = new Program(["sh", "-c", `exec ${line} 2>&1`], server.url)
    expect(await render.ends()).toBe(0)
    const lines = Array.from({ length: 9 }, (_, i) => `out ${i + 1}\nerr ${i + 1}\n`)
    expect((await render.stdout).toString()).toBe(lines.join(""))
  })

  test("that is held open by what the command left behind is waited for only while it comes", async () => {
    await using render = shell(10, "(sleep 0.3; echo late; exec sleep 8) & echo early")
    expect(await render.ends()).toBe(0)
    expect((await render.stdout).toString()).toBe("early\nlate\n")
  })

  test("that nobody reads any more ends the command, as it would without us", async () => {
    const line = [...PROGRAM, "run", "--song", "11", "--", "yes", "50%"].map((word) => `'${word}'`).join(" ")
    await using render = new Program(
      ["bash", "-c", `${line} | head -1; echo "\${PIPESTATUS[0]}"`],
      server.url,
    )
    expect(await render.ends()).toBe(0)
    expect((await render.stdout).toString()).toMatch(/^50%\n(141|1)\n$/)
  })

  test("that nobody reads any more ends a command that writes to standard error, too", async () => {
    const line = [...PROGRAM, "run", "--song", "11", "--", "sh", "-c", "yes >&2"]
      .map((word) => `'${word}'`)
      .join(" ")
    await using render = new Program(
      ["bash", "-c", `{ ${line} 2>&1 >/dev/null; echo "$?" >&3; } 3>&1 | head -1`],
      server.url,
    )
    expect(await render.ends()).toBe(0)
    const item = await finished(server, await latestOf(server, 11))
    expect(item).toMatchObject({ status: "failed", outcome: "failed" })
  })

  test.each([
    ["its output", ">/dev/full", "standard output"],
    ["its error output", "2>/dev/full", undefined],
    ["both outputs in one file", ">/dev/full 2>&1", undefined],
  ])("that goes to a full disk ends no render: %s", async (_, to, named) => {
    const script = "for i in 10 20 30; do echo $i%; echo $i% >&2; sleep 0.2; done"
    const line = [...PROGRAM, "run", "--song", "14", "--", "sh", "-c", `'${script}'`].join(" ")
    await using render = new Program(["sh", "-c", `exec ${line} ${to}`], server.url)
    expect(await render.ends()).toBe(0)
    expect(await itemOf(server, await latestOf(server, 14))).toMatchObject({ status: "completed" })
    const said = `track-studio: ${named} cannot be written: ENOSPC`
    if (named) expect((await render.stderr).toString().split(said)).toHaveLength(2)
  })

  test.each(["a signal", "a cancel"])(
    "that nobody reads for the moment does not hold up the end after %s",
    async (after) => {
      const id = await server.add()
      const args = ["run", "--item", String(id), "--", "sh", "-c", "echo 9%; echo 10%; exec yes"]
      const line = [...PROGRAM, ...args].map((word) => `'${word}'`).join(" ")
      using pipe = unreadPipe()
      await using render = new Program(["bash", "-c", `exec ${line} > ${pipe.path}`], server.url)
      await until(server, id, ({ progress }) => progress === 10)
      if (after === "a signal") render.kill("SIGTERM")
      else await server.api("POST", `/queue/${id}/cancel`)
      await render.ends()
      if (after === "a signal") expect(render.child.signalCode).toBe("SIGTERM")
      else expect(await finished(server, id)).toMatchObject({ outcome: "cancelled" })
    },
  )

  test("of a command without end or line end stops nothing", async () => {
    await using render = shell(
      12,
      "head -c 500000 /dev/zero; echo; echo 5 of 10 files; echo no line end 70% >&2; printf 90%%",
    )
    expect(await render.ends()).toBe(0)
    const id = await latestOf(server, 12)
    expect((await until(server, id, ({ status }) => status === "completed")).progress).toBe(100)
  })

  test("may hold what looks like our own flags", async () => {
    await using render = run("--song", "13", "--", "echo", "--help", "--version", "--", "-h")
    expect(await render.ends()).toBe(0)
    expect((await render.stdout).toString()).toBe("--help --version -- -h\n")
  })
})

test("a command knows its item", async () => {
  await using render = run(
    "--song",
    "14",
    "--title",
    "Fünf",
    "--",
    "sh",
    "-c",
    "env | grep ^TRACK_STUDIO_ | sort",
  )
  expect(await render.ends()).toBe(0)
  const id = await latestOf(server, 14)
  const lines = (await render.stdout).toString().trimEnd().split("\n")
  const told = new Map(
    lines.map((line) => [line.slice(13, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  )
  expect(told.get("ITEM_ID")).toBe(String(id))
  expect(told.get("SONG_ID")).toBe("14")
  expect(told.get("SERVER")).toBe(server.url)
  expect(told.get("LEASE")).toMatch(/^[0-9a-f-]{36}$/)
  expect(JSON.parse(told.get("ITEM") ?? "")).toMatchObject({ id, title: "Fünf", status: "processing" })
})
