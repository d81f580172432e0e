// Pages without scripts, and what all of them have in common.
import { createHash } from 'node:crypto'

/** Text that is HTML already. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Part = Html | string | number | readonly Html[]

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
}

function toText(part: Part): string {
  if (part instanceof Html) return part.text
  if (typeof part === 'object') return part.map(toText).join('')
  return String(part).replace(/[&<>"]/g, (character) => ENTITIES[character] ?? '')
}

/** A template whose values are escaped, unless they are HTML themselves; attributes have to be in double quotes. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(texts.reduce((all, text, index) => all + toText(parts[index - 1] ?? '') + text))
}

const STYLE = `
  :root { color-scheme: light dark; --accent: light-dark(#2454c4, #9ab8ff); --line: light-dark(#d5d9e2, #3b4252); }
  body { font: 1.0625rem/1.55 system-ui, sans-serif; max-width: 38rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
  h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem; }
  a { color: var(--accent); }
  .card { border: 1px solid var(--line); border-radius: 0.75rem; padding: 1rem 1.25rem; margin: 1rem 0; }
  .card h2 { font-size: 1.1rem; margin: 0; }
  .card p { margin: 0.25rem 0 0.75rem; }
  form { display: flex; flex-wrap: wrap; gap: 0.75rem; align-items: end; }
  label { display: grid; gap: 0.25rem; flex: 1 1 14rem; }
  input { font: inherit; padding: 0.55rem 0.75rem; border: 1px solid var(--line); border-radius: 0.5rem; min-width: 0; }
  button { font: inherit; font-weight: 600; padding: 0.6rem 1.1rem; border: 1px solid transparent; border-radius: 0.5rem;
    background: var(--accent); color: light-dark(#fff, #10131a); cursor: pointer; }
  button.quiet { background: none; border-color: var(--line); color: inherit; }
  :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
  nav { display: flex; justify-content: space-between; align-items: center; gap: 1rem; margin-bottom: 2rem; }
`

const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`)
/** The source expression that allows this style and no other. */
export const STYLE_SOURCE = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`

export const page = (title: string, content: Html, nav: Html = html``): Html =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        ${nav}
        <main>${content}</main>
      </body>
    </html>`

/** A response with headers that let a page load nothing, and be loaded nowhere. */
export function toResponse({ text }: Html, status = 200, ...formTargets: readonly string[]) {
  const csp = [
    `default-src 'none'`,
    `style-src ${STYLE_SOURCE}`,
    // Browsers hold redirects after a form against it, too.
    `form-action ${[`'self'`, ...formTargets].join(' ')}`,
    `frame-ancestors 'none'`,
    `base-uri 'none'`,
  ]
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': csp.join('; '),
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  }
  return { status, headers, body: text }
}

/** A form whose session is known by its token. */
export const form = (action: string, csrf: string, content: Html): Html => html`
  <form method="post" action="${action}">
    <input type="hidden" name="csrf" value="${csrf}" />
    ${content}
  </form>
`
