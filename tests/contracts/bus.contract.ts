import { expect, test } from "bun:test"

import type { Bus } from "../../src/bus/bus.ts"

/** A bus of its own, which ends with the test. */
export interface OpenBus extends AsyncDisposable {
  readonly bus: Bus
}

/** Counts rings, and lets a test wait for them: a bus may be slow, and may merge notifications. */
export function bell() {
  let rings = 0
  let changed = (): void => undefined
  return {
    ring(): void {
      rings += 1
      changed()
    },
    get rings(): number {
      return rings
    },
    /** Resolves when it has rung more often than `before`. */
    async after(before: number): Promise<void> {
      while (rings <= before) {
        await new Promise<void>((resolve) => {
          changed = resolve
        })
      }
    },
  }
}

/** What every Bus promises. */
export function busContract(name: string, open: () => Promise<OpenBus>): void {
  test(`${name}: a notification rings for every listener`, async () => {
    await using opened = await open()
    const bells = [bell(), bell(), bell()]
    for (const { ring } of bells) opened.bus.listen(ring)
    opened.bus.notify()
    await Promise.all(bells.map(({ after }) => after(0)))
  })

  test(`${name}: every notification is followed by a ring, however many are merged`, async () => {
    await using opened = await open()
    const one = bell()
    opened.bus.listen(one.ring)
    for (let i = 0; i < 20; i += 1) {
      const before = one.rings
      for (let k = 0; k < 5; k += 1) opened.bus.notify()
      await one.after(before)
    }
    expect(one.rings).toBeGreaterThanOrEqual(20)
  })

  test(`${name}: a notification without listeners is no error`, async () => {
    await using opened = await open()
    opened.bus.notify()
    opened.bus.listen(() => undefined)()
    opened.bus.notify()
  })

  test(`${name}: a listener that has stopped is not called any more, but the others are`, async () => {
    await using opened = await open()
    const { bus } = opened
    const [gone, stays] = [bell(), bell()]
    const stop = bus.listen(gone.ring)
    bus.listen(stays.ring)
    bus.notify()
    await Promise.all([gone.after(0), stays.after(0)])
    stop()
    stop()
    const before = gone.rings
    const heard = stays.rings
    bus.notify()
    await stays.after(heard)
    expect(gone.rings).toBe(before)
  })

  test(`${name}: during a ring a listener may stop itself or another one, or be added`, async () => {
    await using opened = await open()
    const { bus } = opened
    const [other, late, last] = [bell(), bell(), bell()]
    let stopOther = (): void => undefined
    const stop = bus.listen(() => {
      stop()
      stopOther()
      bus.listen(late.ring)
    })
    stopOther = bus.listen(other.ring)
    bus.listen(last.ring)
    bus.notify()
    await last.after(0)
    const heard = last.rings
    bus.notify()
    await Promise.all([last.after(heard), late.after(0)])
    expect(other.rings).toBeLessThanOrEqual(1)
  })
}
