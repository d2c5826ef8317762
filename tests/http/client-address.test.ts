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

test("a request that came through a proxy which is not trusted is not local", () => {
  const proxies = new TrustedProxies([])
  for (const name of ["Forwarded", "X-Forwarded-For", "Via"]) {
    expect(proxies.clientOf("127.0.0.1", new Headers({ [name]: "x" })).isLocal).toBeFalse()
  }
})

test("a request that came through a proxy is never local, whichever proxies are trusted", () => {
  for (const trusted of [[], ["10.0.0.0/8"], ["127.0.0.1"]]) {
    const proxies = new TrustedProxies(trusted)
    for (const [name, value] of [
      ["Forwarded", "for=1.2.3.4"],
      ["Via", "1.1 nginx"],
      ["X-Forwarded-For", "unknown"],
      ["X-Real-IP", "127.0.0.1"],
      ["X-Forwarded-Host", "localhost"],
      ["X-Forwarded-Proto", "http"],
    ] as const) {
      expect(proxies.clientOf("127.0.0.1", new Headers({ [name]: value })).isLocal).toBeFalse()
    }
  }
})

test("a trusted proxy names the client, and addresses in front of that one are not believed", () => {
  const proxies = new TrustedProxies(["10.0.0.0/8", "127.0.0.1", "::1"])
  expect(proxies.clientOf("10.1.2.3", headers("6.6.6.6, 5.6.7.8, 10.9.9.9")).address).toBe("5.6.7.8")
  expect(proxies.clientOf("127.0.0.1", headers("5.6.7.8")).isLocal).toBeFalse()
  expect(proxies.clientOf("127.0.0.1", headers()).isLocal).toBeTrue()
  expect(proxies.clientOf("9.9.9.9", headers("1.2.3.4")).address).toBe("9.9.9.9")
  expect(proxies.clientOf("10.1.2.3", headers("nonsense")).address).toBe("10.1.2.3")
  expect(proxies.clientOf("10.1.2.3", headers("5.6.7.8,, 10.9.9.9,")).address).toBe("5.6.7.8")
})

test("a network that is trusted begins and ends where its bits say", () => {
  const proxies = new TrustedProxies(["10.0.0.0/8", "192.168.4.0/22", "2001:db8::/33"])
  const isTrusted = (peer: string): boolean =>
    proxies.clientOf(peer, headers("5.6.7.8")).address === "5.6.7.8"
  expect(
    ["10.0.0.0", "10.255.255.255", "192.168.7.255", "2001:db8:7fff:ffff::1"].filter(isTrusted),
  ).toHaveLength(4)
  expect(["9.255.255.255", "11.0.0.0", "192.168.8.0", "2001:db8:8000::1"].filter(isTrusted)).toEqual([])
})

test("of an IPv6 address the first 64 bits count", () => {
  const proxies = new TrustedProxies([])
  expect(proxies.clientOf("2001:db8:1:2:3::4", headers()).key).toBe("2001:db8:1:2::/64")
  expect(proxies.clientOf("2001:db8:1:2:ffff:0:0:1", headers()).key).toBe("2001:db8:1:2::/64")
  expect(proxies.clientOf("2001:db8::1", headers()).key).toBe("2001:db8:0:0::/64")
  expect(proxies.clientOf("2001:db8::1:2:3:4", headers()).key).toBe("2001:db8:0:0::/64")
  // Some proxies write zeros at the beginning of a group.
  expect(proxies.clientOf("2001:0db8:0001::1", headers()).key).toBe("2001:db8:1:0::/64")
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

test.each([
  ["1.2.3.4:5678", "1.2.3.4"],
  ["2001:db8::1", "2001:db8::1"],
  ["[2001:db8::1]", "2001:db8::1"],
  ["[2001:db8::1]:443", "2001:db8::1"],
  ['"[2001:db8::1]:443"', "2001:db8::1"],
  ["6.6.6.6, 1.2.3.4:5678 , 10.0.0.7:80", "1.2.3.4"],
  ["6.6.6.6, [::ffff:1.2.3.4]:80", "1.2.3.4"],
  ["6.6.6.6, unknown", "10.1.2.3"],
  ["6.6.6.6, [1.2.3.4", "10.1.2.3"],
])("a trusted proxy may write X-Forwarded-For: %s", (value, address) => {
  expect(new TrustedProxies(["10.0.0.0/8"]).clientOf("10.1.2.3", headers(value)).address).toBe(address)
})

test.each([
  ["for=1.2.3.4", "1.2.3.4"],
  ["For=1.2.3.4:5678;proto=https", "1.2.3.4"],
  ['proto=http; for="1.2.3.4:5678";by=10.0.0.7', "1.2.3.4"],
  ['for="[2001:db8::1]:443"', "2001:db8::1"],
  ['for="[2001:DB8::1]"', "2001:DB8::1"],
  ['for=6.6.6.6, for=1.2.3.4;by="a;b", for=10.0.0.7', "1.2.3.4"],
  ['for=6.6.6.6;by=", for="[2001:db8::1]:443"', "2001:db8::1"],
  ['for=", for=1.2.3.4;by="box"', "1.2.3.4"],
  ["for=6.6.6.6, for=unknown", "10.1.2.3"],
  ["for=6.6.6.6, by=10.0.0.7", "10.1.2.3"],
  ["for=6.6.6.6, for=_hidden", "10.1.2.3"],
])("a trusted proxy may write Forwarded: %s", (value, address) => {
  const proxies = new TrustedProxies(["10.0.0.0/8"])
  expect(proxies.clientOf("10.1.2.3", new Headers({ forwarded: value })).address).toBe(address)
})

test("Forwarded does not count beside X-Forwarded-For, as anybody may have written it", () => {
  const both = new Headers({ forwarded: "for=6.6.6.6", "x-forwarded-for": "1.2.3.4" })
  expect(new TrustedProxies(["10.0.0.0/8"]).clientOf("10.1.2.3", both).address).toBe("1.2.3.4")
})
