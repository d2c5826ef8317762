import { expect, test } from "bun:test"

import { every } from "../src/service.ts"

/** Something that happens, and can be waited for. */
function happening() {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { promise, resolve }
}

test("turns never overlap: one that is due while another is under way is left out", async () => {
  const [third, free] = [happening(), happening()]
  let [turns, atOnce, most] = [0, 0, 0]
  const repetition = every(
    1,
    async () => {
      atOnce += 1
      most = Math.max(most, atOnce)
      turns += 1
      if (turns === 1) await free.promise
      if (turns === 3) third.resolve()
      atOnce -= 1
    },
    () => undefined,
  )
  await Bun.sleep(20)
  expect(turns).toBe(1)
  free.resolve()
  await third.promise
  await repetition.stop()
  expect(most).toBe(1)
})

test("what a turn throws is reported, and the next turn comes", async () => {
  const done = happening()
  const errors: unknown[] = []
  let turns = 0
  const repetition = every(
    1,
    () => {
      turns += 1
      if (turns === 3) done.resolve()
      if (turns < 3) throw new Error(`turn ${turns}`)
    },
    (error) => errors.push(error),
  )
  await done.promise
  await repetition.stop()
  expect(errors.map(String)).toEqual(["Error: turn 1", "Error: turn 2"])
})

test("stopping waits for the turn under way, and no other begins", async () => {
  const [begun, free] = [happening(), happening()]
  let [turns, ended] = [0, false]
  const repetition = every(
    1,
    async () => {
      turns += 1
      begun.resolve()
      await free.promise
      ended = true
    },
    () => undefined,
  )
  await begun.promise
  const stopped = repetition.stop()
  setTimeout(free.resolve, 20)
  await stopped
  expect(ended).toBe(true)
  await Bun.sleep(20)
  expect(turns).toBe(1)
  await repetition.stop()
})
