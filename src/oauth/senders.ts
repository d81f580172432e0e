// Which refresher was the first to send a refresh token, by its key.
const senders = new Map<string, symbol>()
const MAX_SENDERS = 1000

/** Whether another refresher of this process has sent a refresh token before. */
export function isSecondSender(key: string, sender: symbol): boolean {
  const first = senders.get(key)
  if (first !== undefined) return first !== sender
  senders.set(key, sender)
  if (senders.size > MAX_SENDERS)
    for (const oldest of senders.keys()) return !senders.delete(oldest)
  return false
}
