/* In an app of your own this is the file that `bun build src/client/client.ts --outfile track-studio-client.js` makes. */
export { Client } from "../src/client/client.ts"
