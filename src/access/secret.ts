import { nodeCrypto } from "../lazy-node.ts"
import { tokenText } from "../token-format.ts"

/** SHA-256 of a text, in hex. A secret of 256 random bits needs no slow hash. */
export const digest = (text: string): string => nodeCrypto().createHash("sha256").update(text).digest("hex")

/** 32 random bytes in base64url, which follow the prefix of a token or a ticket. */
export const randomText = (): string => nodeCrypto().randomBytes(32).toString("base64url")

/** A new access token. */
export const newToken = (): string => tokenText(randomText())
