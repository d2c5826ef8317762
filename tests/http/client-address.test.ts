import { expect, test } from "bun:test"

import { TrustedProxies } from "../../src/http/client-address.ts"

const headers = (forwardedFor?: string): Headers =>
  new Headers(forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor })

test("without a trusted proxy the peer is the client, whatever its headers say", () => {
  const proxies = new TrustedProxies([])
  expect(proxies.clientOf("9.9.9.9", headers("1.2.3.4"))).toMatchObject({
    address: "9.9.9.9",
    isLocal: false,
  })
  expect(proxies.clientOf("::ffff:127.0.0.1", headers())).toMatchObject({
    address: "127.0.0.1",
    isLocal: true,
  })
})

test("what came through a proxy that nobody trusts is not local", () => {
  const proxies = new TrustedProxies([])
  for (const name of ["Forwarded", "X-Forwarded-For", "Via"]) {
    expect(proxies.clientOf("127.0.0.1", new Headers({ [name]: "x" })).isLocal).toBeFalse()
  }
})

test("what a proxy has passed on is never local, whichever proxies are trusted", () => {
  for (const trusted of [[], ["10.0.0.0/8"], ["127.0.0.1"]]) {
    const proxies = new TrustedProxies(trusted)
    for (const [name, value] of [
      ["Forwarded", "for=1.2.3.4"],
      ["Via", "1.1 nginx"],
      ["X-Forwarded-For", "unknown"],
    ] as const) {
      expect(proxies.clientOf("127.0.0.1", new Headers({ [name]: value })).isLocal).toBeFalse()
    }
  }
})

test("a trusted proxy names the client, and what stood before that was written by anybody", () => {
  const proxies = new TrustedProxies(["10.0.0.0/8", "127.0.0.1", "::1"])
  expect(proxies.clientOf("10.1.2.3", headers("6.6.6.6, 5.6.7.8, 10.9.9.9")).address).toBe("5.6.7.8")
  expect(proxies.clientOf("127.0.0.1", headers("5.6.7.8")).isLocal).toBeFalse()
  expect(proxies.clientOf("127.0.0.1", headers()).isLocal).toBeTrue()
  expect(proxies.clientOf("9.9.9.9", headers("1.2.3.4")).address).toBe("9.9.9.9")
  expect(proxies.clientOf("10.1.2.3", headers("nonsense")).address).toBe("10.1.2.3")
})

test("of an IPv6 address the first 64 bits count", () => {
  const proxies = new TrustedProxies([])
  expect(proxies.clientOf("2001:db8:1:2:3::4", headers()).key).toBe("2001:db8:1:2::/64")
  expect(proxies.clientOf("2001:db8:1:2:ffff:0:0:1", headers()).key).toBe("2001:db8:1:2::/64")
  expect(proxies.clientOf("2001:db8::1", headers()).key).toBe("2001:db8:0:0::/64")
})

test("a proxy on this machine that is not trusted is noticed", () => {
  let noticed = 0
  const proxies = new TrustedProxies(["127.0.0.2"], () => (noticed += 1))
  proxies.clientOf("127.0.0.1", headers())
  proxies.clientOf("127.0.0.2", headers("1.2.3.4"))
  proxies.clientOf("9.9.9.9", headers("1.2.3.4"))
  expect(noticed).toBe(0)
  proxies.clientOf("127.0.0.1", headers("1.2.3.4"))
  expect(noticed).toBe(1)
})
