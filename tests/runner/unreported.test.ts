import { expect, test } from "bun:test"

import { Client } from "../../src/client/client.ts"
import { LeaseFile, leasesIn } from "../../src/runner/lease-file.ts"
import { UnreportedLeases } from "../../src/runner/unreported.ts"
import { temporaryFolder } from "../server.ts"

const SERVER = "http://127.0.0.1:1"

test("a lease that was claimed again is kept by its new token alone", () => {
  using folder = temporaryFolder()
  const said: string[] = []
  const say = (text: string): void => void said.push(text)
  const heir = { client: new Client(SERVER), worker: "box1", leaseS: 60, say }
  const kept = new UnreportedLeases(folder.path, SERVER, heir)
  const held = kept.hold({ id: 7, token: "first", attempt: 1 })
  held.change({ token: "second" })
  held.change({ verdict: { end: "release" } })
  // Its worker is gone, and the next one takes over what it left behind.
  kept.close()
  const next = new LeaseFile(leasesIn(folder.path), SERVER)
  expect(next.adopt()).toEqual([{ id: 7, token: "second", attempt: 1, verdict: { end: "release" } }])
  next.close()
  expect(said).toEqual([])
})
