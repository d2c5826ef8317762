import type { BlockList } from "node:net"

import { net } from "../lazy-node.ts"
import { isLoopback } from "../loopback.ts"

/** Where a request came from. */
export interface ClientAddress {
  /** The client's address: the address of the peer, or what trusted proxies say about it. */
  readonly address: string
  /** Whether the client is on this machine, and its request came through no proxy. */
  readonly isLocal: boolean
  /**
   * The key by which the client's requests are counted: its address, or the first 64 bits of an IPv6 address.
   */
  readonly key: string
}

/**
 * Headers that proxies add. The first three are meant for the client's address. Some proxies send only one of
 * the others.
 */
const PROXY_HEADERS: readonly string[] = [
  "forwarded",
  "x-forwarded-for",
  "via",
  "x-real-ip",
  "x-forwarded-host",
  "x-forwarded-proto",
]

/** Whether a header says that a proxy has passed the request on. */
const isProxied = (headers: Headers): boolean => PROXY_HEADERS.some((name) => headers.has(name))

const plain = (address: string): string =>
  address.startsWith("::") ? address.replace(/^::ffff:(?=\d+\.)/i, "") : address

/** The address that a proxy wrote, without its port, the brackets of IPv6, and quotation marks. */
function addressIn(hop: string): string {
  const named = hop.trim().replace(/^"(.*)"$/, "$1")
  const [, inBrackets, beforePort] =
    /^\[([^\]]*)\](?::[\w.-]+)?$|^(\d+\.\d+\.\d+\.\d+):[\w.-]+$/.exec(named) ?? []
  return plain(inBrackets ?? beforePort ?? named)
}

/**
 * The addresses that proxies wrote down; the first one is the client's. A proxy that writes `X-Forwarded-For`
 * may have passed on a `Forwarded` that anybody can write, so `Forwarded` counts only if it is alone.
 *
 * Every comma separates two addresses, even between quotation marks: a client could leave a quotation mark
 * open to hide what a proxy adds.
 */
function hopsIn(headers: Headers): string[] {
  const list = headers.get("x-forwarded-for")
  if (list !== null) return list.split(",").map(addressIn)
  const elements = headers.get("forwarded")?.split(",") ?? []
  return elements.map((element) => addressIn(/(?:^|;)\s*for\s*=([^;]*)/i.exec(element)?.[1] ?? "unknown"))
}

/**
 * The first 64 bits of an IPv6 address, which usually belong to one household or one server. Any other
 * address as a whole.
 */
function keyOf(address: string): string {
  // The colon is checked first because this runs for each request, and the whole check is slow.
  if (!address.includes(":") || !net().isIPv6(address)) return address
  const [before = "", after = ""] = address.toLowerCase().split("::", 2)
  const head = before === "" ? [] : before.split(":")
  const tail = after === "" ? [] : after.split(":")
  const missing = address.includes("::") ? Math.max(0, 8 - head.length - tail.length) : 0
  const groups = [...head, ...Array<string>(missing).fill("0"), ...tail]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`
}

/** The proxies whose word about a client's address is believed. */
export class TrustedProxies {
  readonly #list: BlockList | undefined
  readonly #onUntrusted: () => void

  /**
   * `given` has addresses, or networks such as 10.0.0.0/8; the settings have checked each of them. `onUntrusted`
   * is called at each request that came through a proxy on this machine which is not in the list, because all
   * clients of that proxy count as one.
   */
  constructor(given: readonly string[], onUntrusted: () => void = () => undefined) {
    this.#onUntrusted = onUntrusted
    if (given.length === 0) return
    const { BlockList, isIPv4 } = net()
    this.#list = new BlockList()
    for (const text of given) {
      const [network = "", bits] = text.split("/", 2)
      const family = isIPv4(network) ? "ipv4" : "ipv6"
      if (bits === undefined) this.#list.addAddress(network, family)
      else this.#list.addSubnet(network, Number(bits), family)
    }
  }

  /** The client whose request came from a peer with this address. */
  clientOf(peer: string, headers: Headers): ClientAddress {
    const from = plain(peer)
    const isByProxy = isLoopback(from) && isProxied(headers)
    // A client on another machine can write these headers itself. On this machine only a proxy writes them.
    if (isByProxy && !this.#isTrusted(from)) this.#onUntrusted()
    const address = this.#list === undefined ? from : this.#behind(from, headers)
    // A request that a proxy passed on does not count as one of this machine, whatever the proxy says.
    const isLocal = isLoopback(from) && !isByProxy
    return { address, isLocal, key: keyOf(address) }
  }

  /**
   * The address of the client: the last address in the list that is no trusted proxy. A client can write
   * every address before it.
   */
  #behind(peer: string, headers: Headers): string {
    const hops = [...hopsIn(headers), peer].filter((hop) => hop !== "")
    let client = peer
    for (const hop of hops.reverse()) {
      client = hop
      if (!this.#isTrusted(hop)) break
    }
    return net().isIP(client) > 0 ? client : peer
  }

  #isTrusted(address: string): boolean {
    if (this.#list === undefined) return false
    const { isIPv4, isIPv6 } = net()
    if (isIPv4(address)) return this.#list.check(address, "ipv4")
    return isIPv6(address) && this.#list.check(address, "ipv6")
  }
}
