/**
 * Sends bytes over its own socket, and `next` after the first bytes that come. Returns everything that comes until the
 * server closes it.
 */
export async function raw(url: string, request: string, next = ""): Promise<string> {
  const { hostname, port } = new URL(url)
  const closed = Promise.withResolvers<string>()
  let text = ""
  await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      open: (socket) => void socket.write(request),
      data(socket, bytes) {
        if (text === "" && next !== "") socket.write(next)
        text += bytes.toString()
      },
      close: () => closed.resolve(text),
      error: (_socket, error) => closed.reject(error),
    },
  })
  return closed.promise
}
