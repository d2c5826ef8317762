/** Modules of Node's that are loaded at their first use: each would be a tenth of the server's start. */

/** Checks and lists of IP addresses. */
export const net = (): typeof import("node:net") => require("node:net")

/** Compression in other threads. */
export const zlib = (): typeof import("node:zlib") => require("node:zlib")

/** Hashes, signatures and random bytes. */
export const nodeCrypto = (): typeof import("node:crypto") => require("node:crypto")
