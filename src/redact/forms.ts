// What a secret is sought as, once escapes are undone: as it is, and its bytes in base64, in hex and as numbers.
import { MIN_LENGTH } from './secrets.ts'
import { undoText } from './undo.ts'

const inForm = (text: string): string => text.replace(/ /g, '+')

/** The secret as text: as it is, as UTF-8 read as Latin-1, with the spaces of a form; each also with its own escapes undone. */
export function plainForms(secret: string): Set<string> {
  const asIs = [secret, ...bytesOf(secret)]
  const forms = [...asIs, ...asIs.map(inForm)]
  const undone = forms.flatMap(undoText).filter((text) => text.length >= MIN_LENGTH)
  return new Set([...forms, ...undone, ...undone.map(inForm)])
}

/** The secret's bytes in base64, in hex and as numbers, without anything between them. */
export const encodedForms = (secret: string): string[] =>
  bytesOf(secret).flatMap((bytes) => [
    ...base64Forms(bytes),
    ...hexForms(bytes),
    Array.from(bytes, (byte) => byte.charCodeAt(0)).join(''),
  ])

/** The bytes of a text, a character each: of UTF-8 and, where that can write it, of Latin-1. */
export function bytesOf(text: string): string[] {
  // A JSON value in a secret may hold half of a surrogate pair. There may be no TextEncoder.
  const percent = encodeURIComponent(text.replace(/[\ud800-\udfff]/gu, '\ufffd'))
  const bytes = percent.replace(/%(..)/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return bytes !== text && /^[\0-\xff]*$/.test(text) ? [bytes, text] : [bytes]
}

export function hexForms(bytes: string): string[] {
  const hex = bytes.replace(/[^]/g, (byte) => (256 + byte.charCodeAt(0)).toString(16).slice(1))
  return [hex, hex.toUpperCase()]
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** What base64 makes of the bytes wherever they start, without the characters at both ends that others have a part in. */
export function base64Forms(bytes: string): string[] {
  return [0, 1, 2].map((before) => {
    const padded = '\0'.repeat(before) + bytes
    let text = ''
    // Six bits each, of a byte and the next.
    for (let bit = 0; bit + 6 <= padded.length * 8; bit += 6) {
      const pair = (padded.charCodeAt(bit >> 3) << 8) | padded.charCodeAt((bit >> 3) + 1)
      text += ALPHABET.charAt((pair >> (10 - (bit & 7))) & 63)
    }
    return text.slice(Math.ceil((before * 8) / 6))
  })
}
