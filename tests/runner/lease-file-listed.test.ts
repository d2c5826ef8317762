import { expect, test } from "bun:test"
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { LeaseFile, leasesIn } from "../../src/runner/lease-file.ts"
import { WorkerLeases } from "../../src/runner/worker-leases.ts"
import { temporaryFolder } from "../server.ts"
import { heirOf } from "./left-leases.ts"

const SERVER = "http://localhost:8080"

test("a lease is found in the file of another worker by the item, also in one of a version that did not note when the item was added", () => {
  using folder = temporaryFolder()
  const state = join(folder.path, "leases")
  const [own, other] = [new LeaseFile(state, SERVER), new LeaseFile(state, SERVER)]
  const token = (letter: string): string => `tsl_${letter.repeat(43)}`
  const lease = (id: number, letter: string) => ({ id, token: token(letter), attempt: 1 })
  other.set(lease(1, "a"))
  other.set({ ...lease(2, "b"), queued_at: "2026-01-02" })
  other.set({ ...lease(3, "c"), queued_at: "2026-01-02", kept_until: Date.now() + 60_000 })
  own.set({ ...lease(4, "d"), queued_at: "2026-01-02" })
  const isListed = (id: number, queued_at = "2026-01-02"): boolean => own.isListedElsewhere({ id, queued_at })
  expect([1, 2, 3, 4].map((id) => isListed(id))).toEqual([true, true, false, false])
  // The item of a new queue that has the same number.
  expect(isListed(2, "2026-01-03")).toBe(false)
  own.close()
  other.close()
})

test("leases that were taken over and not written yet are there for the next worker once the file is closed", () => {
  using folder = temporaryFolder()
  const [first, heir, next] = [1, 2, 3].map(() => new LeaseFile(folder.path, SERVER))
  const lease = { id: 1, token: `tsl_${"a".repeat(43)}`, attempt: 1 }
  first?.set(lease)
  first?.close()
  expect(heir?.adopt()).toEqual([lease])
  heir?.close()
  expect(next?.adopt()).toEqual([lease])
  next?.close()
})

test("leases that this version cannot read stay in their file for the version that can, and the others are taken over", async () => {
  using folder = temporaryFolder()
  const lease = { id: 1, token: `tsl_${"a".repeat(43)}`, attempt: 1 }
  const unreadable = [
    // A result with a key that a newer version has.
    { ...lease, id: 2, verdict: { end: "complete", result: { codec: "av1" } } },
    // With this token no request could be sent, and a worker would try for ever.
    { ...lease, token: "a\nb" },
    // With this mark a worker would end all programs of its user.
    { ...lease, mark: "=" },
    { id: "1; rm", token: 5 },
  ]
  const left = (name: string): string => join(folder.path, name)
  const write = (leases: readonly object[]): void => {
    writeFileSync(left("a.json"), JSON.stringify({ server: SERVER, leases }))
    writeFileSync(left("a.lock"), "")
  }
  write([...unreadable, lease])
  const said: string[] = []
  const heir = new LeaseFile(folder.path, SERVER)
  expect(heir.adopt()).toEqual([lease])
  expect(heir.adopt()).toEqual([])
  heir.save()
  expect(JSON.parse(readFileSync(left("a.json"), "utf8"))).toEqual({ server: SERVER, leases: unreadable })
  heir.remove(lease.token)
  heir.close()
  expect(readdirSync(folder.path).sort()).toEqual(["a.json", "a.lock"])

  const state = join(folder.path, "state")
  mkdirSync(leasesIn(state), { recursive: true })
  for (const name of ["a.json", "a.lock"]) renameSync(left(name), join(leasesIn(state), name))
  const leases = new WorkerLeases(state, SERVER, heirOf(said))
  await leases.inherit()
  await leases.inherit()
  leases.close()
  expect(said).toEqual([expect.stringMatching(/a\.json lists leases of another version of track-studio; /)])
  expect(readdirSync(leasesIn(state)).sort()).toEqual(["a.json", "a.lock"])
})

// Elsewhere it is not known how many files are open.
test.skipIf(!statSync("/proc/self/fd", { throwIfNoEntry: false }))(
  "looking at the leases of a worker that goes on leaves no file open",
  () => {
    using folder = temporaryFolder()
    const [own, other] = [new LeaseFile(folder.path, SERVER), new LeaseFile(folder.path, SERVER)]
    const before = readdirSync("/proc/self/fd").length
    for (let look = 0; look < 20; look += 1) expect(own.adopt()).toEqual([])
    expect(readdirSync("/proc/self/fd").length).toBe(before)
    own.close()
    other.close()
  },
)
