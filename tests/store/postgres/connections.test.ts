import { expect, spyOn, test } from "bun:test"

import { SQL } from "bun"

import { reasonOf } from "../../../src/errors.ts"
import { PostgresConnections } from "../../../src/store/postgres/connections.ts"
import { PostgresStore } from "../../../src/store/postgres/postgres.ts"
import { timersLeft } from "../../timers.ts"

const READS = 50
const AWAY_MS = 600

/** The error of a connection that was lost. */
const GONE = new SQL.PostgresError("gone", { code: "ERR_POSTGRES_CONNECTION_CLOSED" })

/** A pool of connections to a server that may be unavailable, and the number of requests while it was. */
function pool(error = GONE) {
  const state = { isAway: true, asked: 0 }
  const fake = {
    async unsafe(text: string): Promise<unknown[]> {
      if (!state.isAway) return text.includes("transaction_read_only") ? [{ is: "off" }] : [{ n: 1 }]
      state.asked += 1
      throw error
    },
    close: async () => undefined,
  }
  // A link uses only these methods of the pool.
  return { state, sql: fake as unknown as SQL }
}

/** How often an unavailable server is asked while this many reads wait for it. */
async function askedBy(read: (sql: SQL) => () => Promise<unknown>): Promise<number> {
  const { state, sql } = pool()
  const ask = read(sql)
  state.isAway = false
  await ask()
  state.isAway = true
  const reading = Promise.all(Array.from({ length: READS }, ask))
  await Bun.sleep(AWAY_MS)
  state.isAway = false
  await reading
  return state.asked
}

test("while the server is away one probe asks for it, however many reads wait", async () => {
  const agesMs: number[] = []
  const probed = await askedBy((sql) => {
    const link = new PostgresConnections({ open: () => sql, onDoubt: (ageMs) => agesMs.push(ageMs) })
    return () => link.run("SELECT 1 AS n")
  })
  expect(probed).toBeWithin(READS + 1, READS + 12)
  // Each refusal is the sign of an outage, although it came at once.
  expect(agesMs).toHaveLength(probed)
  // The control: each read asks again by itself.
  const again = async (sql: SQL): Promise<unknown> => {
    try {
      return await sql.unsafe("SELECT 1 AS n")
    } catch {
      await Bun.sleep(100)
      return again(sql)
    }
  }
  expect(await askedBy((sql) => () => again(sql))).toBeGreaterThan(3 * READS)
})

test("a read that has waited for a server that was away leaves no timer", async () => {
  const { state, sql } = pool()
  const link = new PostgresConnections({ open: () => sql, onDoubt: () => (state.isAway = false) })
  expect(await timersLeft(() => link.run("SELECT 1 AS n"))).toBe(0)
  expect(state.asked).toBe(1)
})

test("a lock that is not given is not called a server that is away", async () => {
  const { sql } = pool(new SQL.PostgresError("lock", { code: "ERR_POSTGRES_SERVER_ERROR", errno: "55P03" }))
  const link = new PostgresConnections({ open: () => sql, onDoubt: () => undefined })
  const reason = await link.patiently(() => link.ask("SELECT 1 AS n"), 0).catch(reasonOf)
  expect(reason).toBe(
    "the database does not finish this: it is too busy, or another program holds a lock on it",
  )
})

test("a start that has waited in vain for a server says for which one, without the password", async () => {
  const link = new PostgresConnections({ open: () => pool().sql, onDoubt: () => undefined })
  link.drain()
  const inVain = await link.run("SELECT 1").catch((error: unknown) => error)
  using _wait = spyOn(PostgresConnections.prototype, "patiently").mockRejectedValueOnce(inVain)
  const opening = PostgresStore.open("postgres://queue:secret@127.0.0.1:1/queue")
  expect(await opening.catch(reasonOf)).toStartWith(
    "the database postgres://queue@127.0.0.1:1/queue cannot be reached (",
  )
})

test("a server that accepts no writes is not called one that cannot be reached", async () => {
  const error = new SQL.PostgresError("standby", { code: "ERR_POSTGRES_SERVER_ERROR", errno: "25006" })
  const { sql } = pool(error)
  const link = new PostgresConnections({ open: () => sql, onDoubt: () => undefined })
  link.drain()
  expect(await link.run("UPDATE").catch(reasonOf)).toBe(
    "the database takes no writes now: it is a standby, or default_transaction_read_only is on",
  )
})

test("a server that came back as a standby is called that, and no longer unreachable", async () => {
  let asked = 0
  const fake = {
    async unsafe(): Promise<unknown[]> {
      asked += 1
      if (asked > 1) return [{ is: "on" }]
      throw GONE
    },
    close: async () => undefined,
  }
  const link = new PostgresConnections({ open: () => fake as unknown as SQL, onDoubt: () => undefined })
  const reason = await link.patiently(() => link.ask("UPDATE"), performance.now() + 500).catch(reasonOf)
  expect(reason).toBe(
    "the database takes no writes now: it is a standby, or default_transaction_read_only is on",
  )
  expect(link.lostBy).toBe("25006")
  await link.close()
})

test("once it drains, nothing waits for a server that is away", async () => {
  const { state, sql } = pool()
  const link = new PostgresConnections({ open: () => sql, onDoubt: () => undefined })
  link.drain()
  const startedMs = performance.now()
  expect(await link.run("SELECT 1 AS n").catch(reasonOf)).toBe("the database cannot be reached now")
  expect([state.asked, performance.now() - startedMs < 1000]).toEqual([1, true])
})

test("a connection to a server that stays a standby is left: the name may lead to another one by now", async () => {
  let opened = 0
  const open = (): SQL => {
    opened += 1
    const own = opened
    const fake = {
      async unsafe(text: string): Promise<unknown[]> {
        if (own === 3) return text.includes("transaction_read_only") ? [{ is: "off" }] : [{ n: 1 }]
        if (text.includes("transaction_read_only")) return [{ is: "on" }]
        throw new SQL.PostgresError("read only", { code: "ERR_POSTGRES_SERVER_ERROR", errno: "25006" })
      },
      close: async () => undefined,
    }
    // A link uses only these methods of the pool.
    return fake as unknown as SQL
  }
  const link = new PostgresConnections({ open, onDoubt: () => undefined })
  expect(await link.run<{ n: number }>("UPDATE")).toEqual([{ n: 1 }])
  expect(opened).toBe(3)
})

/** A pool of connections to a server that takes no writes; `whoAnswers` is asked who answers on it. */
function readOnlyPool(whoAnswers: () => string): SQL {
  const fake = {
    async unsafe(text: string): Promise<unknown[]> {
      if (text.includes("transaction_read_only")) return [{ is: whoAnswers() }]
      if (text.startsWith("SELECT")) return [{ n: 1 }]
      throw new SQL.PostgresError("read only", { code: "ERR_POSTGRES_SERVER_ERROR", errno: "25006" })
    },
    close: async () => undefined,
  }
  // A link uses only these methods of the pool.
  return fake as unknown as SQL
}

test("a write that a server does not take leaves the connections of reads open, but not those to a standby", async () => {
  for (const [is, isForReads, lostBy] of [
    ["on", true, undefined],
    ["standby", true, "25006"],
    ["on", false, "25006"],
  ] as const) {
    let [opened, asked] = [0, 0]
    const open = (): SQL => {
      opened += 1
      return readOnlyPool(() => {
        asked += 1
        return is
      })
    }
    const link = new PostgresConnections({ open, onDoubt: () => undefined, isForReads })
    const write = link.run("UPDATE").catch(reasonOf)
    while (asked < 5) await Bun.sleep(5)
    expect([link.lostBy, opened === 1]).toEqual([lostBy, lostBy === undefined])
    link.drain()
    await link.close()
    expect(await write).toContain("takes no writes now")
  }
})

test("after an outage reads go on at a server that takes no writes", async () => {
  let asked = 0
  const answers = readOnlyPool(() => "on")
  const fake = {
    unsafe: async (text: string) => {
      asked += 1
      if (asked === 1) throw GONE
      return await answers.unsafe(text)
    },
    close: async () => undefined,
  }
  const link = new PostgresConnections({
    open: () => fake as unknown as SQL,
    onDoubt: () => undefined,
    isForReads: true,
  })
  expect(await link.run<{ n: number }>("SELECT 1 AS n")).toEqual([{ n: 1 }])
})

test("all connections are left if one of them leads to a standby, though another one leads to a server that takes writes", async () => {
  let opened = 0
  const open = (): SQL => {
    opened += 1
    const isStandby = opened === 1
    const fake = {
      async unsafe(text: string): Promise<unknown[]> {
        if (text.includes("transaction_read_only")) return [{ is: "off" }]
        if (!isStandby) return [{ n: 1 }]
        throw new SQL.PostgresError("read only", { code: "ERR_POSTGRES_SERVER_ERROR", errno: "25006" })
      },
      close: async () => undefined,
    }
    // A link uses only these methods of the pool.
    return fake as unknown as SQL
  }
  const link = new PostgresConnections({ open, onDoubt: () => undefined })
  expect(await link.run<{ n: number }>("UPDATE")).toEqual([{ n: 1 }])
  expect(opened).toBe(2)
})

test("after a connection was opened again it is asked once more who answers, and it alone is replaced", async () => {
  const reopened: (() => void)[] = []
  const open = (onReopened: () => void): SQL => {
    const is = reopened.push(onReopened) === 1 ? "off" : "pooler"
    const fake = {
      unsafe: async (text: string) => (text.includes("transaction_read_only") ? [{ is }] : [{ n: 1 }]),
      close: async () => undefined,
    }
    // A link uses only these methods of the pool.
    return fake as unknown as SQL
  }
  const link = new PostgresConnections({ open, onDoubt: () => undefined })
  expect(await link.run<{ n: number }>("SELECT 1 AS n")).toEqual([{ n: 1 }])
  for (let time = 0; time < 2; time += 1) reopened[0]?.()
  expect(reopened).toHaveLength(2)
  link.drain()
  expect(await link.run("SELECT 1 AS n").catch(reasonOf)).toContain("leads to a connection pooler")
})

test("what the server has undone is done again: a deadlock, a lock or a statement that took too long", async () => {
  for (const errno of ["40001", "40P01", "55P03", "57014"]) {
    let asked = 0
    const fake = {
      async unsafe(text: string): Promise<unknown[]> {
        if (text.includes("transaction_read_only")) return [{ is: "off" }]
        asked += 1
        if (asked > 1) return [{ n: asked }]
        throw new SQL.PostgresError("undone", { code: "ERR_POSTGRES_SERVER_ERROR", errno })
      },
      close: async () => undefined,
    }
    const link = new PostgresConnections({ open: () => fake as unknown as SQL, onDoubt: () => undefined })
    expect(await link.run<{ n: number }>("UPDATE")).toEqual([{ n: 2 }])
  }
})

test("a lost answer is asked for again after the whole process stood still, however long that was", async () => {
  const real = performance.now.bind(performance)
  let stoodMs = 0
  using _clock = spyOn(performance, "now").mockImplementation(() => real() + stoodMs)
  let asked = 0
  const fake = {
    async unsafe(text: string): Promise<unknown[]> {
      if (text.includes("transaction_read_only")) return [{ is: "off" }]
      asked += 1
      if (asked > 1) return [{ n: asked }]
      stoodMs = 60_000
      throw new SQL.PostgresError("gone", { code: "ERR_POSTGRES_CONNECTION_CLOSED" })
    },
    close: async () => undefined,
  }
  const link = new PostgresConnections({ open: () => fake as unknown as SQL, onDoubt: () => undefined })
  expect(await link.run<{ n: number }>("UPDATE")).toMatchObject([{ n: 2 }])
})
