import { expect, setDefaultTimeout, test } from "bun:test"

import { SQL } from "bun"

import { IDLE } from "../../../src/item/stored.ts"
import { shownDatabase } from "../../../src/store/database-address.ts"
import { APPEND, parametersOf } from "../../../src/store/postgres/append-statement.ts"
import { PostgresConnections } from "../../../src/store/postgres/connections.ts"
import { isConnectionLost } from "../../../src/store/postgres/faults.ts"
import { GroupDecisions } from "../../../src/store/postgres/group-decisions.ts"
import { pool } from "../../../src/store/postgres/pool-settings.ts"
import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import { added, codeOf, draft, put } from "../../contracts/store.contract.ts"
import { PROGRAM, textOf } from "../../server.ts"
import { distant, once } from "./distant.ts"
import { emptyDatabase } from "./open.ts"
import { loseAnswerTo, Proxy } from "./proxy.ts"
import { newDatabase, postgres, whyNoPostgres } from "./server.ts"
import { taking, together, withAppendLockHeld } from "./several.ts"

setDefaultTimeout(180_000)

const withPostgres = test.skipIf(whyNoPostgres !== undefined)

withPostgres("what comes first after idle connections were lost is done", async () => {
  await using opened = await distant()
  const { store, proxy } = opened
  const id = await added(store)
  const token = { label: "", role: "viewer", expires_at: null } as const
  const asked: (() => Promise<unknown>)[] = [
    () => store.access.addToken({ ...token, hash: "of all", item: null }),
    () => store.access.addToken({ ...token, hash: "of one item", item: id }),
    () => store.list({ limit: 1 }),
    () => put(store, id, { message: "first" }),
  ]
  for (const first of asked) {
    // The connections are open.
    await store.list({ limit: 1 })
    proxy.cut()
    await first()
  }
  expect((await store.access.tokens()).map(({ hash }) => hash)).toEqual(["of all", "of one item"])
})

withPostgres("a write whose question or answer is lost is stored once, and acknowledged", async () => {
  await using opened = await distant()
  const { store, proxy } = opened
  const id = await added(store)
  for (let round = 0; round < 4; round += 1) {
    for (const fate of ["cut", "cut after"] as const) {
      const title = `${fate} ${round}`
      once(proxy, `"${title}"`, fate)
      const { item } = await store.add(() => draft({ title }))
      expect((await store.item(item.id)).title).toBe(title)
      const message = `${fate} of a change ${round}`
      once(proxy, `"${message}"`, fate)
      expect((await put(store, id, { message })).message).toBe(message)
    }
  }
  expect(await store.items()).toBe(9)
  expect(await store.head()).toBe(1 + 4 * 4)
  const messages = (await store.page({ after: 0, queueId: id, limit: 100 })).updates
  expect(new Set(messages.map(({ data }) => data)).size).toBe(9)
})

withPostgres(
  "a write that ran out of time is rejected, although it arrives before its repetition",
  async () => {
    await using opened = await distant()
    const { store, proxy } = opened
    let sent = 0
    proxy.decide = (bytes) => {
      if (sent === 2 || !bytes.includes('"held back"')) return "pass"
      sent += 1
      if (sent === 2) {
        proxy.release()
        setTimeout(() => proxy.release(), 300)
      }
      return "hold"
    }
    const startedMs = performance.now()
    const { item } = await store.add(() => draft({ title: "held back" }))
    expect(performance.now() - startedMs).toBeLessThan(10_000)
    await put(store, item.id, { message: "the next one" })
    expect([sent, await store.items(), await store.head()]).toEqual([2, 1, 2])
  },
)

withPostgres(
  "what other instances change faster than an answer comes is stored all the same, after three lost rounds",
  async () => {
    await using opened = await distant()
    const { store, proxy, url } = opened
    const near = await PostgresStore.open(url)
    const id = await added(store)
    const others: Promise<unknown>[] = []
    let title = ""
    proxy.decide = (bytes) => {
      if (!bytes.includes(title)) return "pass"
      const other =
        title === '"claimed"'
          ? near.claim([], taking(`${others.length}`))
          : put(near, id, { message: `${others.length}` })
      others.push(other)
      // The last one waits for the slower instance.
      void Promise.race([other, Bun.sleep(500)]).then(() => proxy.release())
      return "hold"
    }
    title = '"changed"'
    await put(store, id, { title: "changed" })
    expect(others).toHaveLength(4)
    await Promise.all(others)
    expect(await store.item(id)).toMatchObject({ title: "changed", message: "3" })
    // So are claims, although others claim the items first.
    for (let i = 0; i < 9; i += 1) await added(store)
    title = '"claimed"'
    const change = await store.claim([], taking("claimed"))
    expect(change?.item.worker).toBe("claimed")
    const claims = await Promise.all(others.slice(4))
    expect(claims).toHaveLength(4)
    expect((await store.item(change?.item.id ?? 0)).worker).toBe("claimed")
    // Output depends on the attempt alone.
    title = "printed by the command"
    await store.outputs.append(id, [{ from: 0, to: 22, text: title }], 100, ({ item }) => item.attempt)
    await Promise.all(others)
    expect(await store.head()).toBe(1 + 5 + 9 + 5 + 1)
    await near.close()
  },
)

withPostgres("a claim that was decided before a pause is not stored after it", async () => {
  await using opened = await distant()
  const { store, proxy, url } = opened
  const near = await PostgresStore.open(url)
  await added(store)
  let pausing: Promise<void> | undefined
  proxy.decide = (bytes) => {
    if (pausing || !bytes.includes('"claimed"')) return "pass"
    pausing = near.pause().then(() => proxy.release())
    return "hold"
  }
  expect(await store.claim([], taking("claimed"))).toBeNull()
  await pausing
  expect([pausing !== undefined, await store.head()]).toEqual([true, 1])
  await near.resume()
  expect((await store.claim([], taking("claimed")))?.item.worker).toBe("claimed")
  await near.close()
})

withPostgres("a pause is answered once the claims that were decided before it are stored", async () => {
  await using opened = await together(2)
  const { one, two, client } = opened
  await added(one)
  let claiming: Promise<unknown> = Promise.resolve()
  let pausing: Promise<unknown> = Promise.resolve()
  const isAnswered = await withAppendLockHeld(client, async (waiting) => {
    claiming = one.claim([], taking("claimed"))
    while ((await waiting()) < 1);
    let isPaused = false
    pausing = two.pause().then(() => (isPaused = true))
    while (!isPaused && (await waiting()) < 2);
    return isPaused
  })
  await Promise.all([claiming, pausing])
  expect([isAnswered, await one.head()]).toEqual([false, 2])
  expect(await one.claim([], taking("later"))).toBeNull()
})

withPostgres(
  "a commit is sent with the statement before it, and fails on a connection that did not begin",
  async () => {
    await using opened = await distant()
    const { proxy, url, distantUrl } = opened
    const link = new PostgresConnections({
      open: (onReopened) => pool(distantUrl, 1, onReopened),
      onDoubt: () => undefined,
    })
    await using near = new SQL({ url, max: 1 })
    const begun = async (song: string): Promise<PromiseSettledResult<unknown>[]> => {
      await link.ask("BEGIN")
      const said = link.ask("INSERT INTO songs (song_id, version) VALUES ($1::text::int8, 0)", [song])
      return Promise.allSettled([said, link.commit()])
    }
    expect((await begun("1")).map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"])
    // The connection is cut when the statement is answered, which is too early for a commit that is sent then.
    once(proxy, "77777", "cut after")
    expect((await begun("77777")).map(({ status }) => status)).toContain("rejected")
    await link.run("BEGIN")
    proxy.cut()
    await link.ask("SELECT 1").catch(() => undefined)
    expect(isConnectionLost(await link.commit().catch((error: unknown) => error))).toBe(true)
    await link.close()
    expect(await near.unsafe("SELECT song_id::int FROM songs ORDER BY 1").values()).toEqual([[1], [77_777]])
  },
)

withPostgres("a token is added once, and revoked, although the answers are lost", async () => {
  await using opened = await distant()
  const { store, proxy } = opened
  const draft = { label: "", role: "viewer", item: null, expires_at: null, hash: "h" } as const
  loseAnswerTo(proxy, 'insert into "tokens"')
  const { id } = await store.access.addToken(draft)
  expect((await store.access.tokens()).map((token) => token.id)).toEqual([id])
  loseAnswerTo(proxy, "UPDATE tokens SET revoked_at")
  expect(await store.access.revokeToken(id)).toBeTrue()
  expect(await store.access.revokeToken(id)).toBeFalse()
})

withPostgres("a webhook is called at once, and counted once, although the answers are lost", async () => {
  await using opened = await distant()
  const { store, proxy } = opened
  const { deliveries } = store
  await deliveries.follow(["http://one"])
  const { update } = await store.latestOfItem(await added(store))
  await deliveries.add([{ notice: "failed", update }], update.id)
  loseAnswerTo(proxy, "UPDATE deliveries SET taken_until")
  const [taken] = await deliveries.take("http://one", 1, 30_000)
  expect(taken).toMatchObject({ update_id: update.id })
  // An attempt that failed is counted once.
  const nextAttemptAt = new Date(store.clock.now() + 1000).toISOString()
  loseAnswerTo(proxy, 'update "deliveries"')
  await deliveries.settle(taken?.id ?? 0, { status: "pending", nextAttemptAt, answer: 500, error: "500" })
  const settled = { status: "pending", attempts: 1, next_attempt_at: nextAttemptAt }
  expect((await deliveries.list({ limit: 9 })).deliveries).toMatchObject([settled])
})

withPostgres("a write that was stored, but whose answer and note are lost, is not stored again", async () => {
  await using opened = await distant()
  const { store, proxy, url } = opened
  await using client = new SQL({ url, max: 1 })
  const id = await added(store)
  for (const isBack of [false, true]) {
    const message = `stored ${isBack}`
    once(proxy, `"${message}"`, "cut after")
    const isStored = async () =>
      (await client.unsafe("SELECT 1 FROM updates WHERE data LIKE $1", [`%${message}%`])).length > 0
    const write = put(store, id, { message }).catch((error: unknown) => error)
    proxy.isClosed = true
    while (!(await isStored())) await Bun.sleep(5)
    // As another server does if this one has stood still for ten minutes. This one may have written about
    // itself again by now.
    await client.unsafe("DELETE FROM instances")
    if (isBack)
      await client.unsafe("INSERT INTO instances (id, seen_at) VALUES ($1, 0)", [store.instances.own])
    proxy.isClosed = false
    expect(await write).toMatchObject({ code: "unavailable", message: expect.stringContaining("not known") })
  }
  // Later writes are known again.
  once(proxy, '"later"', "cut after")
  expect((await put(store, id, { message: "later" })).message).toBe("later")
  expect(await store.head()).toBe(4)
})

withPostgres("without the fence a write whose answer is lost would be stored twice", async () => {
  await using opened = await distant()
  const { store, url } = opened
  await added(store)
  await using client = new SQL({ url, max: 1 })
  await client.unsafe("INSERT INTO instances (id, seen_at, epoch) VALUES ('naive', 0, 7)")
  for (const group of [1, 2]) {
    const decisions = new GroupDecisions(store.clock)
    const [row]: { id: string }[] = await client.unsafe("SELECT nextval('queue_items_ids') AS id")
    decisions.numbers.push(Number(row?.id))
    decisions.add(() => draft({ title: "again" }), undefined)
    const parameters = parametersOf(decisions, { era: 0, nowMs: store.clock.now(), oldestMs: 0 })
    await client.unsafe(APPEND, ["naive", group, 7, 0, ...parameters, Date.now()])
  }
  expect((await store.list({ limit: 9, search: "again" })).items).toHaveLength(2)
})

withPostgres("over a frozen network every call answers within 10 s, and the next ones go on", async () => {
  await using opened = await distant()
  const { store, proxy, distantUrl } = opened
  const id = await added(store)
  // From now on it is remembered, so the next write is sent without a read.
  await put(store, id, { message: "before" })
  // The control: the client alone, with its own time limit, waits for ever.
  const alone = new SQL({ url: distantUrl, max: 1, connectionTimeout: 2, idleTimeout: 1 })
  await alone.unsafe("SELECT 1")
  proxy.isFrozen = true
  let isAloneAnswered = false
  const asking = Promise.allSettled([alone.unsafe("SELECT 1")]).then(() => (isAloneAnswered = true))
  const startedMs = performance.now()
  const writing = put(store, id, { message: "frozen" })
  const pausing = store.pause()
  const codes = Promise.all([
    codeOf(writing),
    codeOf(pausing),
    codeOf(store.item(id)),
    codeOf(store.head()),
    codeOf(store.deliveries.list({ limit: 1 })),
  ])
  await Bun.sleep(1000)
  expect(store.faults()).toEqual([])
  // Each of these waits for the write under way, and then for the server: in all as long as any other write.
  const next = Promise.all(
    [0, 300, 600, 900].map(async (ms) => {
      await Bun.sleep(ms)
      return codeOf(put(store, id, { message: "next" }))
    }),
  )
  // Although it waits together with those, it may wait as long, too.
  const later = Bun.sleep(4000).then(() => put(store, id, { message: "later" }))
  expect(await codes).toEqual(["unavailable", "unavailable", "unavailable", "unavailable", "unavailable"])
  expect(await next).toEqual(["unavailable", "unavailable", "unavailable", "unavailable"])
  expect(performance.now() - startedMs).toBeLessThan(12_000)
  // They were sent, and may have been stored.
  await expect(writing).rejects.toThrow("it is not known whether this change was stored")
  await expect(pausing).rejects.toThrow(/cannot be reached now$/)
  expect(isAloneAnswered).toBeFalse()
  await alone.close({ timeout: 0 })
  await asking
  expect(store.faults()).toEqual(["database_unwritable"])
  proxy.isFrozen = false
  proxy.cut()
  expect((await later).message).toBe("later")
  expect((await put(store, id, { message: "goes on" })).message).toBe("goes on")
  expect((await store.item(id)).message).toBe("goes on")
  // The probe of another connection may still be under way.
  while (store.faults().length > 0) await store.item(id)
  await store.change(id, ({ item }) => ({ item, work: IDLE }))
})

withPostgres("a start waits for a server that is away, and a command says so and for how long", async () => {
  const { port } = await postgres()
  await using database = await emptyDatabase()
  using proxy = new Proxy(port)
  const url = new URL(database.url)
  url.port = `${proxy.port}`
  proxy.isClosed = true
  const command = Bun.spawn([...PROGRAM, "token", "list", "--database", url.href], {
    stdout: "pipe",
    stderr: "pipe",
  })
  const opening = PostgresStore.open(url.href)
  const note = await command.stderr.getReader().read()
  const said = `Waiting up to 30 s for the database ${shownDatabase(url.href)} (`
  expect(new TextDecoder().decode(note.value)).toStartWith(said)
  while (proxy.refused < 3) await Bun.sleep(20)
  proxy.isClosed = false
  expect([await textOf(command.stdout), await command.exited]).toEqual([
    "There are no tokens: the server serves this machine alone.\n",
    0,
  ])
  const store = await opening
  expect(await added(store)).toBe(1)
  await store.close()
})

withPostgres(
  "a start that must change a table does not wait for a backup, as running servers would wait behind it",
  async () => {
    const { url } = await newDatabase()
    const store = await PostgresStore.open(url)
    await using backup = new SQL({ url, max: 1 })
    await backup.unsafe("DELETE FROM drizzle.__drizzle_migrations WHERE id >= 5")
    await backup.unsafe("BEGIN; LOCK TABLE queue_items IN ACCESS SHARE MODE").simple()
    await expect(PostgresStore.open(url)).rejects.toThrow(
      "cannot be brought up to date while another program uses it, for example a backup",
    )
    await added(store)
    await store.close()
  },
)
